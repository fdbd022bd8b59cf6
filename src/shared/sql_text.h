// Pieces of SQL as text: identifiers and literals, quoted.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_SQL_TEXT_H_
#define PG_TVIEWS_SHARED_SQL_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

namespace tviews {

// Always between double quotes, inner ones doubled.
std::string QuoteIdentifier(std::string_view name);
// schema.name, both quoted.
std::string QuoteQualified(std::string_view schema, std::string_view name);
// A string constant that means the same whatever standard_conforming_strings says.
std::string QuoteLiteral(std::string_view text);
// The text of an array of these texts: {"a","b"}.
std::string TextArray(const std::vector<std::string>& texts);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_SQL_TEXT_H_
