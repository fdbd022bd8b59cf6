#include "shared/tview_label.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "shared/lane.h"
#include "shared/status_macros.h"

namespace tviews {
namespace {

constexpr std::size_t kMaxSize = 64 * 1024;
constexpr int kMaxDepth = 8;
constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_";
constexpr std::size_t kMaxDigits = 15;

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError("the label of the table is not one of a TVIEW: " +
                                    std::string(what));
}

void AppendUtf8(std::uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xC0 | code >> 6));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    out->push_back(static_cast<char>(0xE0 | code >> 12));
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The part of JSON that labels are made of: no surrogates, no numbers that lose digits.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool Take(char c) {
    SkipSpace();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool TakeWord(std::string_view word) {
    SkipSpace();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  bool AtEnd() {
    SkipSpace();
    return rest_.empty();
  }

  // nullopt where there is no string, or one that no name can be.
  std::optional<std::string> TakeString() {
    if (!Take('"')) return std::nullopt;
    std::string value;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return value;
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      if (c != '\\') {
        value.push_back(c);
      } else if (!TakeEscape(&value)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  // The text of any value; nullopt where there is none.
  std::optional<std::string> TakeValue(int depth = 0) {
    SkipSpace();
    const std::string_view begin = rest_;
    if (depth > kMaxDepth || !SkipValue(depth)) return std::nullopt;
    return std::string(begin.substr(0, begin.size() - rest_.size()));
  }

 private:
  bool SkipValue(int depth) {
    if (rest_.empty()) return false;
    switch (rest_.front()) {
      case '"':
        return TakeString().has_value();
      case '{':
        return SkipMembers('}', [&] {
          return TakeString().has_value() && Take(':') && TakeValue(depth + 1).has_value();
        });
      case '[':
        return SkipMembers(']', [&] { return TakeValue(depth + 1).has_value(); });
      default:
        return TakeWord("true") || TakeWord("false") || TakeWord("null") || SkipNumber();
    }
  }

  template <typename Skip>
  bool SkipMembers(char end, Skip skip) {
    rest_.remove_prefix(1);
    if (Take(end)) return true;
    do {
      if (!skip()) return false;
    } while (Take(','));
    return Take(end);
  }

  std::size_t SkipDigits() {
    const std::size_t count = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    rest_.remove_prefix(count);
    return count;
  }

  bool SkipNumber() {
    if (rest_.starts_with('-')) rest_.remove_prefix(1);
    const bool begins_with_zero = rest_.starts_with('0');
    const std::size_t digits = SkipDigits();
    if (digits == 0 || digits > kMaxDigits || (begins_with_zero && digits > 1)) return false;
    if (!rest_.starts_with('.')) return true;
    rest_.remove_prefix(1);
    const std::size_t decimals = SkipDigits();
    return decimals > 0 && decimals <= kMaxDigits;
  }

  void SkipSpace() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t' ||
                              rest_.front() == '\n' || rest_.front() == '\r')) {
      rest_.remove_prefix(1);
    }
  }

  // Of what follows a backslash. Surrogates and NUL are refused: json_build_object writes neither.
  bool TakeEscape(std::string* value) {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    constexpr std::string_view kEscaped = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (const std::size_t place = kEscaped.find(c); place != std::string_view::npos) {
      value->push_back(kMeant[place]);
      return true;
    }
    if (c != 'u' || rest_.size() < 4) return false;
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      const int digit = HexDigit(rest_[i]);
      if (digit < 0) return false;
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    rest_.remove_prefix(4);
    if (code == 0 || (code >= 0xD800 && code <= 0xDFFF)) return false;
    AppendUtf8(code, value);
    return true;
  }

  std::string_view rest_;
};

// In milliseconds.
bool IsLagTarget(const std::string& text) {
  int number = 0;
  return absl::SimpleAtoi(text, &number) && number >= 0 && number <= 3600 * 1000;
}

// An option as the metadata keeps it. What this version does not know stays as it is.
absl::StatusOr<std::string> ReadOption(Reader* reader) {
  const std::optional<std::string> name = reader->TakeString();
  if (!name.has_value() || !reader->Take(':')) return Malformed("an option is malformed");
  if (*name == "notify" || *name == "undetermined") {
    if (reader->TakeWord("true")) return "\"" + *name + "\": true";
    if (reader->TakeWord("false")) return "\"" + *name + "\": false";
    return Malformed("option \"" + *name + "\" is not a boolean");
  }
  if (*name == "feed") {
    const std::optional<std::string> value = reader->TakeString();
    if (!value.has_value() || (*value != "off" && *value != "keys" && *value != "data")) {
      return Malformed("option \"feed\" is not off, keys or data");
    }
    return "\"feed\": \"" + *value + "\"";
  }
  if (*name == "lane") {
    const std::optional<std::string> value = reader->TakeString();
    if (!value.has_value() || !IsLaneName(*value)) {
      return Malformed("option \"lane\" is not the name of a lane");
    }
    return "\"lane\": \"" + *value + "\"";
  }
  const std::optional<std::string> value = reader->TakeValue();
  if (!value.has_value()) return Malformed("an option has a malformed value");
  if (*name == "lag_target" && !IsLagTarget(*value)) {
    return Malformed("option \"lag_target\" is not a time of at most an hour");
  }
  const bool is_plain = name->find_first_not_of(kNameCharacters) == std::string::npos;
  if (!is_plain || name->empty()) return Malformed("an option has a name that none has");
  return "\"" + *name + "\": " + *value;
}

absl::StatusOr<std::string> ReadOptions(Reader* reader) {
  std::string options;
  if (!reader->Take('{')) return Malformed("\"options\" is not an object");
  if (reader->Take('}')) return options;
  do {
    TVIEWS_ASSIGN_OR_RETURN(const std::string option, ReadOption(reader));
    options += (options.empty() ? "" : ", ") + option;
  } while (reader->Take(','));
  if (!reader->Take('}')) return Malformed("\"options\" does not end");
  return options;
}

absl::StatusOr<std::vector<std::string>> ReadKey(Reader* reader) {
  const bool is_array = reader->Take('[');
  std::vector<std::string> key;
  do {
    std::optional<std::string> name = reader->TakeString();
    if (!name.has_value() || name->empty()) return Malformed("\"key\" is not a string");
    key.push_back(*std::move(name));
  } while (is_array && reader->Take(','));
  if (is_array && !reader->Take(']')) return Malformed("\"key\" does not end");
  return key;
}

absl::Status ReadMember(Reader* reader, TviewLabel* label) {
  const std::optional<std::string> name = reader->TakeString();
  if (!name.has_value() || !reader->Take(':')) return Malformed("a member is malformed");
  if (*name == "options") {
    TVIEWS_ASSIGN_OR_RETURN(label->options, ReadOptions(reader));
    return absl::OkStatus();
  }
  if (*name == "key") {
    TVIEWS_ASSIGN_OR_RETURN(label->key, ReadKey(reader));
    return absl::OkStatus();
  }
  std::string* const member = *name == "entity" ? &label->entity
                              : *name == "view" ? &label->view
                                                : nullptr;
  if (member == nullptr) return Malformed("it has a member that no label has");
  std::optional<std::string> value = reader->TakeString();
  if (!value.has_value()) return Malformed("\"" + *name + "\" is not a string");
  *member = std::move(*value);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TviewLabel> ParseTviewLabel(std::string_view text) {
  if (text.size() > kMaxSize) return Malformed("it is too long");
  Reader reader(text);
  TviewLabel label;
  if (!reader.Take('{')) return Malformed("it is not an object");
  do {
    TVIEWS_RETURN_IF_ERROR(ReadMember(&reader, &label));
  } while (reader.Take(','));
  if (!reader.Take('}') || !reader.AtEnd()) return Malformed("it does not end");
  if (label.entity.empty() || label.key.empty() || label.view.empty()) {
    return Malformed("it needs \"entity\", \"key\" and \"view\"");
  }
  return label;
}

}  // namespace tviews
