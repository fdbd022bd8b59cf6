#include "worker/helpers/helper_task.h"

#include <cstdint>
#include <cstring>

#include "shared/source_key.h"

namespace tviews::worker {
namespace {

// The numbers of a task, in one field.
struct Numbers {
  RelationId relation;
  RoleId owner;
  std::int32_t shape;
  std::int32_t key_columns;  // how many
  std::int32_t settings;     // how many
};

constexpr std::size_t kHeadFields = 2;

// Each is three fields.
struct KeyNumbers {
  TypeId type;
  AttributeNumber attribute;
};

template <typename T>
void AppendPlain(const T& value, std::string* bytes) {
  AppendField(std::string_view(reinterpret_cast<const char*>(&value), sizeof(value)), bytes);
}

template <typename T>
bool ReadPlain(std::string_view field, T* value) {
  if (field.size() != sizeof(*value)) return false;
  std::memcpy(value, field.data(), sizeof(*value));
  return true;
}

}  // namespace

std::string EncodeHelperTask(const TviewDefinition& tview, RefreshShape shape,
                             const std::vector<std::string>& keys) {
  Numbers numbers;
  std::memset(&numbers, 0, sizeof(numbers));
  numbers.relation = tview.relation;
  numbers.owner = tview.owner;
  numbers.shape = static_cast<std::int32_t>(shape);
  numbers.settings = static_cast<std::int32_t>(tview.settings.size());
  numbers.key_columns = static_cast<std::int32_t>(tview.key.size());
  std::string bytes;
  AppendPlain(numbers, &bytes);
  AppendField(tview.qualified_view, &bytes);
  for (const KeyColumn& column : tview.key) {
    KeyNumbers key_numbers;
    std::memset(&key_numbers, 0, sizeof(key_numbers));
    key_numbers.type = column.type;
    key_numbers.attribute = column.attribute;
    AppendPlain(key_numbers, &bytes);
    AppendField(column.name, &bytes);
    AppendField(column.equality, &bytes);
  }
  for (const DefinitionSetting& setting : tview.settings) {
    AppendField(setting.name, &bytes);
    AppendField(setting.value, &bytes);
  }
  for (const std::string& key : keys) AppendField(key, &bytes);
  return bytes;
}

std::optional<HelperTask> DecodeHelperTask(std::string_view bytes) {
  const std::vector<std::optional<std::string_view>> fields = SplitFields(bytes);
  if (fields.size() <= kHeadFields) return std::nullopt;
  for (const auto& field : fields) {
    if (!field.has_value()) return std::nullopt;
  }
  Numbers numbers;
  if (!ReadPlain(*fields[0], &numbers)) return std::nullopt;
  HelperTask task;
  task.tview.relation = numbers.relation;
  task.tview.owner = numbers.owner;
  task.shape = static_cast<RefreshShape>(numbers.shape);
  task.tview.qualified_view = *fields[1];
  std::size_t next = kHeadFields;
  for (std::int32_t i = 0; i < numbers.key_columns; ++i) {
    KeyNumbers key_numbers;
    if (next + 3 > fields.size() || !ReadPlain(*fields[next], &key_numbers)) return std::nullopt;
    KeyColumn& column = task.tview.key.emplace_back();
    column.type = key_numbers.type;
    column.attribute = key_numbers.attribute;
    column.name = *fields[next + 1];
    column.equality = *fields[next + 2];
    next += 3;
  }
  for (std::int32_t i = 0; i < numbers.settings; ++i) {
    if (next + 2 > fields.size()) return std::nullopt;
    task.tview.settings.push_back(
        {.name = std::string(*fields[next]), .value = std::string(*fields[next + 1])});
    next += 2;
  }
  for (; next < fields.size(); ++next) task.keys.emplace_back(*fields[next]);
  return task;
}

std::vector<std::string> SliceOf(const std::vector<std::string>& keys, std::size_t slice,
                                 std::size_t slices) {
  const auto at = [&](std::size_t i) {
    return keys.begin() + static_cast<std::ptrdiff_t>(keys.size() * i / slices);
  };
  return {at(slice), at(slice + 1)};
}

}  // namespace tviews::worker
