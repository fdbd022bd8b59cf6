#include "worker/core/cascade.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/string_view.h"
#include "shared/key_image.h"
#include "shared/source_key.h"
#include "shared/status_macros.h"

namespace tviews::worker {
namespace {

// Object identifiers of the server's integer types; they never change.
constexpr TypeId kInt8 = 20;
constexpr TypeId kInt2 = 21;
constexpr TypeId kInt4 = 23;

bool IsInteger(TypeId type) { return type == kInt2 || type == kInt4 || type == kInt8; }

template <typename Integer>
std::optional<std::int64_t> Load(std::string_view image) {
  Integer value;
  if (image.size() != sizeof(value)) return std::nullopt;
  std::memcpy(&value, image.data(), sizeof(value));
  return value;
}

template <typename Integer>
std::optional<std::string> Store(std::int64_t value) {
  if (value < std::numeric_limits<Integer>::min() || value > std::numeric_limits<Integer>::max()) {
    return std::nullopt;
  }
  const auto stored = static_cast<Integer>(value);
  std::string image(sizeof(stored), '\0');
  std::memcpy(image.data(), &stored, sizeof(stored));
  return image;
}

// Keys between two looks at interrupts.
constexpr std::size_t kKeysPerCheck = 65536;

// Where the columns of `wanted` stand in a layout; nullopt if one is missing or of another type.
std::optional<std::vector<std::size_t>> FindColumns(const Layout& layout,
                                                    const std::vector<CapturedColumn>& wanted) {
  std::vector<std::size_t> positions;
  for (const CapturedColumn& column : wanted) {
    const auto found = std::find(layout.columns.begin(), layout.columns.end(), column);
    if (found == layout.columns.end()) return std::nullopt;
    positions.push_back(static_cast<std::size_t>(found - layout.columns.begin()));
  }
  return positions;
}

// The search from the deltas to the keys of one TVIEW. A function that returns false has found that
// everything is affected.
class KeySearch {
 public:
  KeySearch(const TviewDefinition& tview, KeyLookup& lookup) : tview_(tview), lookup_(lookup) {}

  absl::StatusOr<bool> AddSource(const SourceLineage& source, const RelationDelta& delta) {
    if (delta.is_whole()) return Everything("a source changed as a whole", source);
    LayoutKeys relevant;
    for (const auto& [layout, keys] : delta.keys()) {
      if (source.IsRelevant(layout.changed)) relevant.emplace_back(&layout, &keys);
    }
    if (relevant.empty()) return true;
    result_.is_touched = true;
    if (source.paths.empty()) return Everything("a source has no path to the key", source);
    for (const LineagePath& path : source.paths) {
      LayoutKeys followed;
      for (const auto& layout_keys : relevant) {
        if (path.IsRelevant(layout_keys.first->changed)) followed.push_back(layout_keys);
      }
      if (followed.empty()) continue;
      TVIEWS_ASSIGN_OR_RETURN(const bool is_known, AddPath(source, path, followed));
      if (!is_known) return false;
    }
    return true;
  }

  // After all sources: the keys that have the parts which paths led to.
  absl::Status CompleteParts() {
    for (const auto& [part, rows] : parts_) {
      std::vector<std::string> sorted(rows.begin(), rows.end());
      std::sort(sorted.begin(), sorted.end());
      TVIEWS_RETURN_IF_ERROR(lookup_.Complete(tview_, part, sorted, [this](std::string_view image) {
        result_.keys.emplace(absl::string_view(image.data(), image.size()));
      }));
    }
    return absl::OkStatus();
  }

  AffectedKeys TakeResult() { return std::move(result_); }

 private:
  using LayoutKeys = std::vector<std::pair<const Layout*, const SourceKeySet*>>;

  absl::StatusOr<bool> AddPath(const SourceLineage& source, const LineagePath& path,
                               const LayoutKeys& relevant) {
    switch (path.strategy) {
      case Strategy::kDirect:
        return AddDirect(source, path, relevant);
      case Strategy::kLookup:
        return AddLookup(source, path, relevant);
      case Strategy::kFull:
        break;
    }
    return Everything(path.description, source);
  }

  absl::Status CountKey() {
    return ++keys_ % kKeysPerCheck == 0 ? lookup_.CheckInterrupts() : absl::OkStatus();
  }

  // The types of the key's columns that `path` leads to.
  std::vector<TypeId> TypesOf(const LineagePath& path) const {
    std::vector<TypeId> types;
    for (std::size_t i = 0; i < tview_.key.size(); ++i) {
      const bool is_wanted =
          path.part.empty() || std::find(path.part.begin(), path.part.end(), i) != path.part.end();
      if (is_wanted) types.push_back(tview_.key[i].type);
    }
    return types;
  }

  static bool AreConvertible(const std::vector<CapturedColumn>& from,
                             const std::vector<TypeId>& to) {
    return std::equal(
        from.begin(), from.end(), to.begin(), to.end(),
        [](const CapturedColumn& column, TypeId type) { return IsConvertible(column.type, type); });
  }

  // What the fields of `key` at `positions` are as values of the key's columns; nothing if one of
  // them is NULL, or is no value of its type.
  std::vector<std::string> Convert(const std::string& key,
                                   const std::vector<std::size_t>& positions,
                                   const std::vector<CapturedColumn>& from,
                                   const std::vector<TypeId>& to) {
    std::vector<std::string> images;
    for (std::size_t i = 0; i < to.size(); ++i) {
      const std::optional<std::string_view> image = FieldAt(key, positions[i]);
      if (!image.has_value()) {
        result_.names_null = true;
        return {};
      }
      auto converted = ConvertKeyImage(*image, from[i].type, to[i]);
      if (!converted.has_value()) return {};
      images.push_back(*std::move(converted));
    }
    return images;
  }

  void AddSingle(std::optional<std::string_view> image, TypeId type) {
    if (!image.has_value()) {
      result_.names_null = true;
      return;
    }
    auto converted = ConvertKeyImage(*image, type, tview_.key[0].type);
    if (converted.has_value()) result_.keys.insert(*std::move(converted));
  }

  void Add(const LineagePath& path, const std::vector<std::string>& images) {
    if (images.empty()) return;
    if (path.part.empty()) {
      result_.keys.insert(JoinKey(images));
      return;
    }
    std::string row;
    for (const std::string& image : images) AppendField(image, &row);
    parts_[path.part].insert(std::move(row));
  }

  absl::StatusOr<bool> AddDirect(const SourceLineage& source, const LineagePath& path,
                                 const LayoutKeys& relevant) {
    const std::vector<TypeId> types = TypesOf(path);
    if (!AreConvertible(path.captured, types)) {
      return Everything("a direct path does not start from a column of the key's type", source);
    }
    for (const auto& [layout, keys] : relevant) {
      const auto positions = FindColumns(*layout, path.captured);
      if (!positions.has_value()) return MissingColumn(source);
      if (path.part.empty()) result_.keys.reserve(result_.keys.size() + keys->size());
      for (const std::string& key : *keys) {
        TVIEWS_RETURN_IF_ERROR(CountKey());
        if (tview_.key.size() == 1) {
          AddSingle(FieldAt(key, (*positions)[0]), path.captured[0].type);
          continue;
        }
        Add(path, Convert(key, *positions, path.captured, types));
      }
    }
    return true;
  }

  absl::StatusOr<bool> AddLookup(const SourceLineage& source, const LineagePath& path,
                                 const LayoutKeys& relevant) {
    std::vector<std::string> source_keys;
    for (const auto& [layout, keys] : relevant) {
      const auto positions = FindColumns(*layout, path.captured);
      if (!positions.has_value()) return MissingColumn(source);
      for (const std::string& key : *keys) {
        TVIEWS_RETURN_IF_ERROR(CountKey());
        source_keys.push_back(ProjectFields(key, *positions));
      }
    }
    std::sort(source_keys.begin(), source_keys.end());
    source_keys.erase(std::unique(source_keys.begin(), source_keys.end()), source_keys.end());
    if (source_keys.empty()) return true;

    absl::flat_hash_set<std::string>& found = path.part.empty() ? result_.keys : parts_[path.part];
    TVIEWS_RETURN_IF_ERROR(
        lookup_.Lookup(tview_, source, path, source_keys, [&](std::optional<std::string_view> key) {
          if (key.has_value()) {
            found.emplace(absl::string_view(key->data(), key->size()));
          } else {
            result_.names_null = true;
          }
        }));
    return true;
  }

  bool MissingColumn(const SourceLineage& source) {
    return Everything("a change was captured without a column that lineage needs", source);
  }

  // Always false.
  bool Everything(const std::string& why, const SourceLineage& source) {
    result_.everything = true;
    result_.why = why + " (source " + std::to_string(source.source) + ")";
    result_.keys.clear();
    return false;
  }

  const TviewDefinition& tview_;
  KeyLookup& lookup_;
  AffectedKeys result_;
  // Parts of keys, as source keys, by the columns of the key that they are.
  std::map<std::vector<std::size_t>, absl::flat_hash_set<std::string>> parts_;
  std::size_t keys_ = 0;  // that were gone through
};

}  // namespace

absl::StatusOr<AffectedKeys> FindAffectedKeys(const TviewDefinition& tview, const DeltaSet& deltas,
                                              KeyLookup& lookup) {
  KeySearch search(tview, lookup);
  for (const SourceLineage& source : tview.sources) {
    const RelationDelta* const delta = deltas.Find(source.source);
    if (delta == nullptr) continue;
    TVIEWS_ASSIGN_OR_RETURN(const bool is_known, search.AddSource(source, *delta));
    if (!is_known) return search.TakeResult();
  }
  TVIEWS_RETURN_IF_ERROR(search.CompleteParts());
  return search.TakeResult();
}

DeltaSet DeltasConcerning(const TviewDefinition& tview, const DeltaSet& deltas) {
  DeltaSet own;
  for (const SourceLineage& source : tview.sources) {
    const RelationDelta* const delta = deltas.Find(source.source);
    if (delta == nullptr) continue;
    const bool is_relevant =
        delta->is_whole() ||
        std::any_of(delta->keys().begin(), delta->keys().end(), [&](const auto& layout_keys) {
          return source.IsRelevant(layout_keys.first.changed);
        });
    if (is_relevant) own.Merge(source.source, *delta);
  }
  return own;
}

bool IsConvertible(TypeId from, TypeId to) {
  return from == to || (IsInteger(from) && IsInteger(to));
}

std::optional<std::string> ConvertKeyImage(std::string_view image, TypeId from, TypeId to) {
  if (from == to) return std::string(image);
  const std::optional<std::int64_t> value = from == kInt2   ? Load<std::int16_t>(image)
                                            : from == kInt4 ? Load<std::int32_t>(image)
                                                            : Load<std::int64_t>(image);
  if (!value.has_value()) return std::nullopt;
  return to == kInt2   ? Store<std::int16_t>(*value)
         : to == kInt4 ? Store<std::int32_t>(*value)
                       : Store<std::int64_t>(*value);
}

}  // namespace tviews::worker
