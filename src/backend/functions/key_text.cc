#include "backend/functions/key_text.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_join.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/spi.h"
#include "shared/row_text.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

namespace tviews::backend {
namespace {

using Texts = std::vector<std::optional<std::string>>;

// The members of a JSON object, in the order of `columns`; of others nothing.
absl::StatusOr<Texts> ReadObject(const std::string& text, const std::vector<std::string>& columns) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult members,
                          pg::ExecuteSql("SELECT m.key, m.value FROM"
                                         " pg_catalog.jsonb_each_text($1::pg_catalog.jsonb) AS m",
                                         {text}));
  Texts values(columns.size());
  for (const pg::SqlRow& member : members.rows) {
    const auto column = std::find(columns.begin(), columns.end(), *member[0]);
    if (column == columns.end()) return Texts();
    values[static_cast<std::size_t>(column - columns.begin())] = member[1];
  }
  return values;
}

absl::StatusOr<Texts> ReadArray(const std::string& text) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult elements,
      pg::ExecuteSql(
          "SELECT e.value FROM pg_catalog.jsonb_array_elements_text($1::pg_catalog.jsonb)"
          " WITH ORDINALITY AS e (value, place) ORDER BY e.place",
          {text}));
  Texts values;
  for (const pg::SqlRow& element : elements.rows) values.push_back(element[0]);
  return values;
}

absl::StatusOr<Texts> Read(const std::string& text, const std::vector<std::string>& columns) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const char c = first == std::string::npos ? '\0' : text[first];
  if (c == '{') return ReadObject(text, columns);
  if (c == '[') return ReadArray(text);
  return ParseRowText(text).value_or(Texts());
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitKeyText(const std::string& text,
                                                      const std::vector<std::string>& columns) {
  if (columns.size() == 1) return std::vector<std::string>{text};
  TVIEWS_ASSIGN_OR_RETURN(Texts values, Read(text, columns));
  const bool is_complete = values.size() == columns.size() &&
                           std::all_of(values.begin(), values.end(),
                                       [](const auto& value) { return value.has_value(); });
  if (!is_complete) {
    std::vector<std::string> names;
    for (const std::string& column : columns) names.push_back(QuoteIdentifier(column));
    return pg::MakeError(
        absl::StatusCode::kInvalidArgument,
        {.message = text + " does not say the values of " + absl::StrJoin(names, ", "),
         .hint = "A key of several columns is written as a JSON object, {\"tenant_id\": 3, \"id\": "
                 "5}, as a JSON array, [3, 5], or as a row, (3,5).",
         .sqlstate = "22023"});
  }
  std::vector<std::string> texts;
  for (std::optional<std::string>& value : values) texts.push_back(*std::move(value));
  return texts;
}

}  // namespace tviews::backend
