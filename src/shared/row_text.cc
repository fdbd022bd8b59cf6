#include "shared/row_text.h"

#include <cstddef>
#include <utility>

namespace tviews {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// Takes one column from the front of `rest`, up to the comma or parenthesis after it. False: it
// does not end.
bool TakeColumn(std::string_view* rest, std::optional<std::string>* column) {
  std::string value;
  bool is_quoted = false;
  bool is_null = true;
  while (!rest->empty()) {
    const char c = rest->front();
    if (!is_quoted && (c == ',' || c == ')')) {
      if (!is_null) *column = std::move(value);
      return true;
    }
    rest->remove_prefix(1);
    is_null = false;
    if (c == '\\') {
      if (rest->empty()) return false;
      value.push_back(rest->front());
      rest->remove_prefix(1);
    } else if (c != '"') {
      value.push_back(c);
    } else if (is_quoted && rest->starts_with('"')) {
      value.push_back('"');
      rest->remove_prefix(1);
    } else {
      is_quoted = !is_quoted;
    }
  }
  return false;
}

}  // namespace

std::optional<std::vector<std::optional<std::string>>> ParseRowText(std::string_view text) {
  std::string_view rest = Trim(text);
  if (!rest.starts_with('(') || rest == "()") return std::nullopt;
  std::vector<std::optional<std::string>> columns;
  do {
    rest.remove_prefix(1);  // the parenthesis, or a comma
    if (!TakeColumn(&rest, &columns.emplace_back())) return std::nullopt;
  } while (rest.starts_with(','));
  if (rest != ")") return std::nullopt;
  return columns;
}

}  // namespace tviews
