// The columns of a row of SQL, one after the other, as values of C++.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  End returns Status
//
// Columns are read in the order of the statement's SELECT list, so there are no numbers to keep in
// step. A column that has not the form asked for gives a value of zeros and is remembered; End
// tells, and also where columns were left over, or missing.

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_ROW_READER_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_ROW_READER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "shared/pg/boundary/spi.h"
#include "shared/types.h"

namespace tviews::pg {

class RowReader {
 public:
  // `row` must outlive the object.
  explicit RowReader(const SqlRow& row) : row_(row) {}

  // Not NULL. Of a bytea, its bytes.
  std::string Text();
  template <typename T>
  T Number();
  Oid32 Oid() { return Number<Oid32>(); }

  // May be NULL.
  SqlValue OptionalText();
  std::string TextOrNothing() { return OptionalText().value_or(""); }
  template <typename T>
  std::optional<T> OptionalNumber();
  bool IsTrue() { return OptionalText() == "t"; }
  // Of "1 2 3"; none for NULL.
  template <typename T>
  std::vector<T> Numbers();
  std::vector<std::string> Words();

  // How many columns have been read, for a part of the row that somebody else reads.
  std::size_t position() const { return position_; }
  void Skip(std::size_t columns) { position_ += columns; }

  // Fails where a column was not what was asked for, or not all of them were read.
  absl::Status End() const;

 private:
  const SqlValue& Next();
  void NoteProblem();
  template <typename T>
  T Parse(absl::string_view text);

  const SqlRow& row_;
  std::size_t position_ = 0;
  std::size_t problem_ = 0;  // number of the first column that was not what was asked for; 0: none
};

template <typename T>
T RowReader::Parse(absl::string_view text) {
  if constexpr (sizeof(T) < sizeof(std::int32_t)) {
    const auto number = Parse<std::int32_t>(text);
    if (static_cast<T>(number) != number) NoteProblem();
    return static_cast<T>(number);
  } else {
    T number{};
    if (!absl::SimpleAtoi(text, &number)) {
      NoteProblem();
      return T{};
    }
    return number;
  }
}

template <typename T>
T RowReader::Number() {
  const std::optional<T> number = OptionalNumber<T>();
  if (!number.has_value()) NoteProblem();
  return number.value_or(T{});
}

template <typename T>
std::optional<T> RowReader::OptionalNumber() {
  const SqlValue& value = Next();
  if (!value.has_value()) return std::nullopt;
  return Parse<T>(*value);
}

template <typename T>
std::vector<T> RowReader::Numbers() {
  std::vector<T> numbers;
  for (const std::string& word : Words()) numbers.push_back(Parse<T>(word));
  return numbers;
}

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_ROW_READER_H_
