// A number with its noun, for people: "1 key", "2 keys".
//
// Layer:   shared
// Sharing: private to one process
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_COUNTED_H_
#define PG_TVIEWS_SHARED_COUNTED_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tviews {

inline std::string Counted(std::uint64_t number, absl::string_view noun) {
  return absl::StrCat(number, " ", noun, number == 1 ? "" : "s");
}

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_COUNTED_H_
