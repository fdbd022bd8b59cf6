#include "worker/refresh/key_values.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "shared/key_image.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/status_macros.h"
#include "worker/feed/key_printer.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <executor/tuptable.h>
#include <fmgr.h>
#include <miscadmin.h>
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

bool IsInteger(TypeId type) { return type == INT2OID || type == INT4OID || type == INT8OID; }

std::int64_t IntegerOf(std::string_view image) {
  std::int64_t value = 0;
  if (image.size() == 2) {
    std::int16_t small;
    std::memcpy(&small, image.data(), sizeof(small));
    value = small;
  } else if (image.size() == 4) {
    std::int32_t medium;
    std::memcpy(&medium, image.data(), sizeof(medium));
    value = medium;
  } else if (image.size() == 8) {
    std::memcpy(&value, image.data(), sizeof(value));
  }
  return value;
}

// In loops over keys, of which a batch can have millions.
absl::Status CheckInterruptsAt(std::size_t index) {
  if (index % 4096 != 0) return absl::OkStatus();
  return pg::Call([] { CHECK_FOR_INTERRUPTS(); });
}

// Of two pointers to keys' values.
int CompareKeys(const void* left, const void* right, void* argument) {
  CHECK_FOR_INTERRUPTS();
  const auto* const order = static_cast<const KeyOrder*>(argument);
  const Datum* const a = *static_cast<const Datum* const*>(left);
  const Datum* const b = *static_cast<const Datum* const*>(right);
  for (int i = 0; i < order->columns; ++i) {
    const int result =
        DatumGetInt32(FunctionCall2Coll(order->compare[i], order->collation[i], a[i], b[i]));
    if (result != 0) return result;
  }
  return 0;
}

KeyOrder OrderOf(RelationId tview, const KeyAttributes& key) {
  KeyOrder order{};
  order.columns = key.count;
  for (int i = 0; i < key.count; ++i) {
    Oid type;
    int32 typmod;
    get_atttypetypmodcoll(tview, key.numbers[i], &type, &typmod, &order.collation[i]);
    order.compare[i] = &lookup_type_cache(type, TYPECACHE_CMP_PROC_FINFO)->cmp_proc_finfo;
    if (OidIsValid(order.compare[i]->fn_oid)) continue;
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_FUNCTION),
             errmsg("could not identify a comparison function for type %s", format_type_be(type))));
  }
  return order;
}

// Sorts the keys and moves the distinct ones to the front. Returns how many they are.
std::size_t SortDistinct(KeyOrder* order, const Datum** keys, std::size_t count) {
  qsort_arg(keys, count, sizeof(keys[0]), CompareKeys, order);
  std::size_t distinct = std::min<std::size_t>(count, 1);
  for (std::size_t i = 1; i < count; ++i) {
    if (CompareKeys(&keys[distinct - 1], &keys[i], order) != 0) keys[distinct++] = keys[i];
  }
  return distinct;
}

// The values of all keys, one after the other.
template <typename Images>
absl::StatusOr<std::vector<Datum>> ValuesOf(const Images& images, const KeyCodec& codec) {
  std::vector<Datum> all;
  all.reserve(images.size() * codec.columns());
  std::size_t index = 0;
  for (const std::string& image : images) {
    TVIEWS_RETURN_IF_ERROR(CheckInterruptsAt(index++));
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<Datum> values, codec.Values(image));
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

std::vector<const Datum*> PointersTo(const std::vector<Datum>& values, std::size_t columns) {
  std::vector<const Datum*> keys;
  for (std::size_t i = 0; i < values.size(); i += columns) keys.push_back(&values[i]);
  return keys;
}

// Of the values, in their order, as an array.
absl::StatusOr<StatementParameter> ArrayOf(std::vector<Datum> values, TypeId type) {
  StatementParameter parameter;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(type, &length, &by_value, &alignment);
    ArrayType* const array = construct_array(values.data(), static_cast<int>(values.size()), type,
                                             length, by_value, alignment);
    parameter.type = get_array_type(type);
    parameter.value = PointerGetDatum(array);
  }));
  return parameter;
}

// Bytes that are ordered as integers are, or as they are.
void AppendSortable(std::string_view image, TypeId type, std::string* bytes) {
  if (!IsInteger(type)) {
    bytes->append(image);
    bytes->push_back('\0');
    return;
  }
  const std::uint64_t number =
      static_cast<std::uint64_t>(IntegerOf(image)) ^ (std::uint64_t{1} << 63);
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes->push_back(static_cast<char>(number >> shift & 0xFF));
  }
}

// The distinct values of a column of the keys.
absl::flat_hash_set<std::string_view> ColumnValues(const std::vector<std::string>& keys,
                                                   std::size_t columns, std::size_t column) {
  absl::flat_hash_set<std::string_view> values;
  std::string_view last;
  for (const std::string& key : keys) {
    const std::string_view image = KeyField(key, columns, column);
    if (!values.empty() && image == last) continue;  // they are sorted
    values.insert(image);
    last = image;
  }
  return values;
}

// The lowest and the highest value of the last column, integers.
std::pair<std::string_view, std::string_view> BoundsOfLast(const std::vector<std::string>& keys,
                                                           std::size_t columns) {
  if (columns == 1) return {keys.front(), keys.back()};  // they are sorted
  std::string_view lowest = KeyField(keys.front(), columns, columns - 1);
  std::string_view highest = lowest;
  for (const std::string& key : keys) {
    const std::string_view image = KeyField(key, columns, columns - 1);
    if (IntegerOf(image) < IntegerOf(lowest)) lowest = image;
    if (IntegerOf(image) > IntegerOf(highest)) highest = image;
  }
  return {lowest, highest};
}

}  // namespace

absl::StatusOr<KeyCodec> KeyCodec::Make(const TviewDefinition& tview) {
  KeyCodec codec;
  for (const KeyColumn& column : tview.key) {
    codec.attributes_.push_back(column.attribute);
    TVIEWS_ASSIGN_OR_RETURN(codec.shapes_.emplace_back(), pg::ShapeOf(column.type));
  }
  return codec;
}

absl::StatusOr<std::string> KeyCodec::Image(const pg::DatumValue* values) const {
  if (shapes_.size() == 1) return pg::DatumImage(values[0], shapes_[0]);
  std::string key;
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    TVIEWS_RETURN_IF_ERROR(pg::AppendDatumField(values[i], false, shapes_[i], &key));
  }
  return key;
}

absl::StatusOr<std::string> KeyCodec::ImageOf(TupleTableSlot* row) const {
  pg::DatumValue values[kMostKeyColumns];
  for (std::size_t i = 0; i < shapes_.size(); ++i) values[i] = row->tts_values[attributes_[i] - 1];
  return Image(values);
}

absl::StatusOr<std::vector<pg::DatumValue>> KeyCodec::Values(std::string_view image) const {
  const std::vector<std::string_view> images = SplitKey(image, shapes_.size());
  // In quarantine a key may be of before its TVIEW was dropped and created with another key.
  if (images.size() != shapes_.size()) {
    return pg::MakeError(absl::StatusCode::kInternal, {.message = "key image has the wrong size"});
  }
  std::vector<pg::DatumValue> values;
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    TVIEWS_ASSIGN_OR_RETURN(values.emplace_back(), pg::DatumFromImage(images[i], shapes_[i]));
  }
  return values;
}

absl::StatusOr<KeySet> KeySet::Make(const TviewDefinition& tview, std::vector<std::string> images) {
  TVIEWS_ASSIGN_OR_RETURN(KeyCodec codec, KeyCodec::Make(tview));
  KeySet set(std::move(codec));
  set.images_.insert(images.begin(), images.end());
  if (tview.key_is_image_equal() || images.empty()) return set;
  set.tview_ = &tview;
  TVIEWS_ASSIGN_OR_RETURN(set.values_, ValuesOf(images, set.codec_));
  set.sorted_ = PointersTo(set.values_, tview.key.size());
  const KeyAttributes key = AttributesOf(tview);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    set.order_ = OrderOf(tview.relation, key);
    qsort_arg(set.sorted_.data(), set.sorted_.size(), sizeof(set.sorted_[0]), CompareKeys,
              &set.order_);
  }));
  return set;
}

absl::StatusOr<bool> KeySet::Contains(const std::string& image) const {
  if (images_.contains(image)) return true;
  if (sorted_.empty()) return false;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Datum> values, codec_.Values(image));
  const Datum* const key = values.data();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview_->owner, tview_->settings));
  return pg::CallFor([&] {
    KeyOrder order = order_;
    return bsearch_arg(&key, sorted_.data(), sorted_.size(), sizeof(sorted_[0]), CompareKeys,
                       &order) != nullptr;
  });
}

absl::StatusOr<AffectedKeys> MergeEqualKeys(const TviewDefinition& tview, AffectedKeys affected) {
  if (affected.keys.size() < 2) return affected;
  TVIEWS_ASSIGN_OR_RETURN(const KeyCodec codec, KeyCodec::Make(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Datum> values, ValuesOf(affected.keys, codec));
  std::vector<const Datum*> keys = PointersTo(values, tview.key.size());
  const KeyAttributes attributes = AttributesOf(tview);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_ASSIGN_OR_RETURN(const std::size_t distinct, pg::CallFor([&] {
                            KeyOrder order = OrderOf(tview.relation, attributes);
                            return SortDistinct(&order, keys.data(), keys.size());
                          }));
  if (distinct == keys.size()) return affected;
  affected.keys.clear();
  for (std::size_t i = 0; i < distinct; ++i) {
    TVIEWS_RETURN_IF_ERROR(CheckInterruptsAt(i));
    TVIEWS_ASSIGN_OR_RETURN(std::string image, codec.Image(keys[i]));
    affected.keys.insert(std::move(image));
  }
  return affected;
}

absl::StatusOr<AffectedKeys> KeysUpTo(const TviewDefinition& tview, AffectedKeys affected,
                                      const std::string& mark) {
  if (affected.keys.empty()) return affected;
  TVIEWS_ASSIGN_OR_RETURN(const KeyCodec codec, KeyCodec::Make(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Datum> limit, codec.Values(mark));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Datum> values, ValuesOf(affected.keys, codec));
  const std::vector<const Datum*> keys = PointersTo(values, tview.key.size());
  std::vector<char> is_left(keys.size());
  const KeyAttributes attributes = AttributesOf(tview);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    KeyOrder order = OrderOf(tview.relation, attributes);
    const Datum* const last = limit.data();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      is_left[i] = CompareKeys(&keys[i], &last, &order) <= 0 ? 1 : 0;
    }
  }));
  absl::flat_hash_set<std::string> left;
  std::size_t place = 0;  // in the order in which `values` were made
  for (const std::string& image : affected.keys) {
    if (is_left[place++] != 0) left.insert(image);
  }
  affected.keys = std::move(left);
  return affected;
}

absl::StatusOr<std::string> KeyText(const TviewDefinition& tview, const std::string& image) {
  TVIEWS_ASSIGN_OR_RETURN(const KeyCodec codec, KeyCodec::Make(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Datum> values, codec.Values(image));
  const KeyAttributes key = AttributesOf(tview);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_ASSIGN_OR_RETURN(const char* const text, pg::CallFor([&] {
                            return TextOfKey(PrepareKeyPrinter(tview.relation, key), values.data());
                          }));
  return std::string(text);
}

std::vector<std::string> SortKeys(const AffectedKeys& affected, const TviewDefinition& tview) {
  std::vector<std::string> keys;
  const std::size_t columns = tview.key.size();
  if (columns == 1 && !IsInteger(tview.key[0].type)) {
    keys.assign(affected.keys.begin(), affected.keys.end());
    std::sort(keys.begin(), keys.end());
    return keys;
  }
  keys.reserve(affected.keys.size());
  if (columns == 1) {
    std::vector<std::pair<std::int64_t, const std::string*>> numbers;
    numbers.reserve(affected.keys.size());
    for (const std::string& key : affected.keys) numbers.emplace_back(IntegerOf(key), &key);
    std::sort(numbers.begin(), numbers.end());
    for (const auto& [number, key] : numbers) keys.push_back(*key);
    return keys;
  }
  std::vector<std::pair<std::string, const std::string*>> sortable;
  sortable.reserve(affected.keys.size());
  for (const std::string& key : affected.keys) {
    sortable.emplace_back(std::string(), &key);
    for (std::size_t i = 0; i < columns; ++i) {
      AppendSortable(KeyField(key, columns, i), tview.key[i].type, &sortable.back().first);
    }
  }
  std::sort(sortable.begin(), sortable.end());
  for (const auto& [bytes, key] : sortable) keys.push_back(*key);
  return keys;
}

bool AreDense(const std::vector<std::string>& keys, const TviewDefinition& tview) {
  if (keys.empty() || !IsInteger(tview.key.back().type)) return false;
  const auto [lowest, highest] = BoundsOfLast(keys, tview.key.size());
  // Modulo 2^64, where no distance overflows.
  const std::uint64_t distance = static_cast<std::uint64_t>(IntegerOf(highest)) -
                                 static_cast<std::uint64_t>(IntegerOf(lowest));
  const std::size_t most = LargestRange(keys.size());
  if (distance >= most) return false;
  std::size_t combinations = distance + 1;
  for (std::size_t i = 0; i + 1 < tview.key.size(); ++i) {
    combinations *= ColumnValues(keys, tview.key.size(), i).size();
    if (combinations > most) return false;
  }
  return true;
}

std::vector<KeyPart> PartsOfNeighbours(const std::vector<std::string>& keys,
                                       const TviewDefinition& tview, std::size_t smallest) {
  const std::size_t columns = tview.key.size();
  if (columns == 1) return {KeyPart{.keys = keys, .differ_in_last = true}};
  // What stands before the last column's value in the key's bytes.
  const auto before_last = [columns](const std::string& key) {
    return std::string_view(key.data(), KeyField(key, columns, columns - 1).data() - key.data());
  };
  std::vector<KeyPart> parts;
  KeyPart others;
  for (auto begin = keys.begin(); begin != keys.end();) {
    const std::string_view before = before_last(*begin);
    const auto end = std::find_if(
        begin, keys.end(), [&](const std::string& key) { return before_last(key) != before; });
    if (static_cast<std::size_t>(end - begin) >= smallest) {
      parts.push_back({.keys = {begin, end}, .differ_in_last = true});
    } else {
      others.keys.insert(others.keys.end(), begin, end);
    }
    begin = end;
  }
  if (!others.keys.empty()) parts.push_back(std::move(others));
  return parts;
}

bool AreCombined(const std::vector<std::string>& keys, const TviewDefinition& tview) {
  std::size_t combinations = 1;
  for (std::size_t i = 0; i < tview.key.size(); ++i) {
    combinations *= ColumnValues(keys, tview.key.size(), i).size();
    if (combinations > keys.size() + keys.size() / 4) return false;
  }
  return true;
}

absl::StatusOr<StatementParameters> KeyParameters(const TviewDefinition& tview,
                                                  const std::vector<std::string>& keys,
                                                  RefreshShape shape) {
  StatementParameters parameters;
  const std::size_t columns = tview.key.size();
  for (std::size_t i = 0; i < columns; ++i) {
    const TypeId type = tview.key[i].type;
    TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape type_shape, pg::ShapeOf(type));
    std::vector<std::string_view> images;
    if (shape == RefreshShape::kSingle) {
      images = {KeyField(keys[0], columns, i)};
    } else if (shape == RefreshShape::kRange && i + 1 == columns) {
      const auto [lowest, highest] = BoundsOfLast(keys, columns);
      images = {lowest, highest};
    } else if (columns == 1) {
      images.assign(keys.begin(), keys.end());
    } else {
      const absl::flat_hash_set<std::string_view> distinct = ColumnValues(keys, columns, i);
      images.assign(distinct.begin(), distinct.end());
      std::sort(images.begin(), images.end());
    }
    std::vector<Datum> values;
    values.reserve(images.size());
    for (const std::string_view image : images) {
      TVIEWS_RETURN_IF_ERROR(CheckInterruptsAt(values.size()));
      TVIEWS_ASSIGN_OR_RETURN(values.emplace_back(), pg::DatumFromImage(image, type_shape));
    }
    if (shape == RefreshShape::kSingle) {
      parameters.push_back({.type = type, .value = values[0]});
      continue;
    }
    TVIEWS_ASSIGN_OR_RETURN(parameters.emplace_back(), ArrayOf(std::move(values), type));
  }
  return parameters;
}

}  // namespace tviews::worker
