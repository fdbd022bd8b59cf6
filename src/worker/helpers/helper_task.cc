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
  TypeId key_type;
  std::int32_t shape;
  std::int32_t settings;  // how many
  AttributeNumber key_attribute;
};

constexpr std::size_t kHeadFields = 4;

}  // namespace

std::string EncodeHelperTask(const TviewDefinition& tview, RefreshShape shape,
                             const std::vector<std::string>& keys) {
  Numbers numbers;
  std::memset(&numbers, 0, sizeof(numbers));
  numbers.relation = tview.relation;
  numbers.owner = tview.owner;
  numbers.key_type = tview.key_type;
  numbers.shape = static_cast<std::int32_t>(shape);
  numbers.settings = static_cast<std::int32_t>(tview.settings.size());
  numbers.key_attribute = tview.key_attribute;
  std::string bytes;
  AppendField(std::string_view(reinterpret_cast<const char*>(&numbers), sizeof(numbers)), &bytes);
  AppendField(tview.qualified_view, &bytes);
  AppendField(tview.key_column, &bytes);
  AppendField(tview.key_equality, &bytes);
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
  if (fields[0]->size() != sizeof(numbers)) return std::nullopt;
  std::memcpy(&numbers, fields[0]->data(), sizeof(numbers));
  HelperTask task;
  task.tview.relation = numbers.relation;
  task.tview.owner = numbers.owner;
  task.tview.key_type = numbers.key_type;
  task.tview.key_attribute = numbers.key_attribute;
  task.shape = static_cast<RefreshShape>(numbers.shape);
  task.tview.qualified_view = *fields[1];
  task.tview.key_column = *fields[2];
  task.tview.key_equality = *fields[3];
  std::size_t next = kHeadFields;
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
