// The text of a row, as the server writes it: (3,"a, b").
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail; what is no such text gives nullopt

#ifndef PG_TVIEWS_SHARED_ROW_TEXT_H_
#define PG_TVIEWS_SHARED_ROW_TEXT_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tviews {

// The texts of its columns; nullopt stands for NULL, which is written as nothing.
std::optional<std::vector<std::optional<std::string>>> ParseRowText(std::string_view text);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_ROW_TEXT_H_
