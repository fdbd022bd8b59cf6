#include "shared/key_slices.h"

#include "absl/strings/str_cat.h"
#include "shared/refresh_plan.h"
#include "shared/sql_text.h"

namespace tviews {
namespace {

std::string IsNotNull(const TviewDefinition& tview) {
  std::string condition;
  for (const KeyColumn& column : tview.key) {
    absl::StrAppend(&condition, condition.empty() ? "" : " AND ", QuoteIdentifier(column.name),
                    " IS NOT NULL");
  }
  return condition;
}

// Of the key at $1, $2, ...
std::string IsGreater(const TviewDefinition& tview) {
  std::string parameters;
  bool is_one_operator = true;
  for (std::size_t i = 0; i < tview.key.size(); ++i) {
    absl::StrAppend(&parameters, i == 0 ? "$" : ", $", i + 1);
    is_one_operator &= tview.key[i].greater == tview.key[0].greater;
  }
  // An index finds this one.
  if (is_one_operator) {
    return absl::StrCat("(", KeyColumns(tview), ") ", tview.key[0].greater, " (", parameters, ")");
  }
  std::string condition;
  for (std::size_t i = tview.key.size(); i-- > 0;) {
    const std::string name = QuoteIdentifier(tview.key[i].name);
    const std::string greater = absl::StrCat(name, " ", tview.key[i].greater, " $", i + 1);
    condition = condition.empty()
                    ? greater
                    : absl::StrCat("(", greater, " OR (", name, " ", tview.key[i].equality, " $",
                                   i + 1, " AND ", condition, "))");
  }
  return condition;
}

}  // namespace

std::string NextKeysStatement(const TviewDefinition& tview, bool is_first, std::size_t limit) {
  const std::string key = KeyColumns(tview);
  const std::string from = is_first ? IsNotNull(tview) : IsGreater(tview);
  const std::string end = absl::StrCat(" WHERE ", from, " ORDER BY ", key, " LIMIT ", limit, ")");
  std::string order = "1";
  for (std::size_t i = 2; i <= tview.key.size(); ++i) absl::StrAppend(&order, ", ", i);
  return absl::StrCat("(SELECT ", key, " FROM ONLY ", tview.qualified_name, end, " UNION (SELECT ",
                      key, " FROM ", tview.qualified_view, end, " ORDER BY ", order, " LIMIT ",
                      limit);
}

}  // namespace tviews
