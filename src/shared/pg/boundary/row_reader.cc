#include "shared/pg/boundary/row_reader.h"

#include "absl/strings/str_cat.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/error.h"

namespace tviews::pg {

const SqlValue& RowReader::Next() {
  static NoDestructor<SqlValue> missing;
  const std::size_t place = position_++;
  return place < row_.size() ? row_[place] : *missing;
}

void RowReader::NoteProblem() {
  if (problem_ == 0) problem_ = position_;
}

std::string RowReader::Text() {
  const SqlValue& value = Next();
  if (!value.has_value()) NoteProblem();
  return value.value_or("");
}

SqlValue RowReader::OptionalText() { return Next(); }

std::vector<std::string> RowReader::Words() {
  const SqlValue& value = Next();
  if (!value.has_value()) return {};
  return absl::StrSplit(*value, ' ', absl::SkipEmpty());
}

absl::Status RowReader::End() const {
  if (problem_ == 0 && position_ == row_.size()) return absl::OkStatus();
  if (problem_ == 0) {
    return MakeError(
        absl::StatusCode::kInternal,
        {.message = absl::StrCat("a row has ", row_.size(), " columns, not ", position_),
         .sqlstate = "XX000"});
  }
  return MakeError(absl::StatusCode::kInternal,
                   {.message = absl::StrCat("column ", problem_,
                                            " of a row does not have the form that is expected"),
                    .sqlstate = "XX000"});
}

}  // namespace tviews::pg
