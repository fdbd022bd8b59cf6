#include "shared/version.h"

#include <charconv>

namespace tviews {
namespace {

// Takes the part before the next dot from the front of `text`.
int TakePart(std::string_view* text) {
  const std::size_t dot = text->find('.');
  const std::string_view part = text->substr(0, dot);
  *text = dot == std::string_view::npos ? std::string_view() : text->substr(dot + 1);
  int number = 0;
  std::from_chars(part.data(), part.data() + part.size(), number);
  return number;
}

}  // namespace

int CompareVersions(std::string_view left, std::string_view right) {
  while (!left.empty() || !right.empty()) {
    const int left_part = TakePart(&left);
    const int right_part = TakePart(&right);
    if (left_part != right_part) return left_part < right_part ? -1 : 1;
  }
  return 0;
}

}  // namespace tviews
