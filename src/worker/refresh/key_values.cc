#include "worker/refresh/key_values.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "shared/pg/boundary/guard.h"
#include "shared/source_key.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <utils/array.h>
#include <utils/lsyscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

bool IsInteger(TypeId type) { return type == INT2OID || type == INT4OID || type == INT8OID; }

std::int64_t IntegerOf(const std::string& image) {
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

struct KeyOrder {
  FmgrInfo* compare;
  Oid collation;
};

int CompareKeys(const void* left, const void* right, void* argument) {
  const auto* const order = static_cast<const KeyOrder*>(argument);
  return DatumGetInt32(FunctionCall2Coll(order->compare, order->collation,
                                         *static_cast<const Datum*>(left),
                                         *static_cast<const Datum*>(right)));
}

KeyOrder OrderOf(const TviewDefinition& tview) {
  Oid type;
  int32 typmod;
  KeyOrder order{};
  get_atttypetypmodcoll(tview.relation, tview.key_attribute, &type, &typmod, &order.collation);
  order.compare = &lookup_type_cache(type, TYPECACHE_CMP_PROC_FINFO)->cmp_proc_finfo;
  return order;
}

// Sorts `values` and moves the distinct ones to the front. Returns how many they are.
std::size_t SortDistinct(const TviewDefinition& tview, Datum* values, std::size_t count) {
  KeyOrder order = OrderOf(tview);
  qsort_arg(values, count, sizeof(Datum), CompareKeys, &order);
  std::size_t distinct = std::min<std::size_t>(count, 1);
  for (std::size_t i = 1; i < count; ++i) {
    if (CompareKeys(&values[distinct - 1], &values[i], &order) != 0) values[distinct++] = values[i];
  }
  return distinct;
}

absl::StatusOr<std::vector<Datum>> ValuesOf(const absl::flat_hash_set<std::string>& images,
                                            pg::TypeShape shape) {
  std::vector<Datum> values;
  values.reserve(images.size());
  for (const std::string& image : images) {
    TVIEWS_ASSIGN_OR_RETURN(values.emplace_back(), pg::DatumFromImage(image, shape));
  }
  return values;
}

Datum ValueOfText(TypeId type, const std::string& text) {
  Oid input = InvalidOid;
  Oid element = InvalidOid;
  getTypeInputInfo(type, &input, &element);
  return OidInputFunctionCall(input, const_cast<char*>(text.c_str()), element, -1);
}

}  // namespace

absl::StatusOr<std::vector<bool>> AreAmong(const TviewDefinition& tview,
                                           const std::vector<std::string>& texts,
                                           const absl::flat_hash_set<std::string>& images) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape shape, pg::ShapeOf(tview.key_type));
  TVIEWS_ASSIGN_OR_RETURN(std::vector<Datum> values, ValuesOf(images, shape));
  TVIEWS_ASSIGN_OR_RETURN(const std::size_t distinct, pg::CallFor([&] {
                            return SortDistinct(tview, values.data(), values.size());
                          }));
  std::vector<bool> among;
  for (const std::string& text : texts) {
    TVIEWS_ASSIGN_OR_RETURN(const bool found, pg::CallFor([&] {
                              const Datum value = ValueOfText(tview.key_type, text);
                              KeyOrder order = OrderOf(tview);
                              return bsearch_arg(&value, values.data(), distinct, sizeof(Datum),
                                                 CompareKeys, &order) != nullptr;
                            }));
    among.push_back(found);
  }
  return among;
}

absl::StatusOr<AffectedKeys> MergeEqualKeys(const TviewDefinition& tview, AffectedKeys affected) {
  if (affected.keys.size() < 2) return affected;
  TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape shape, pg::ShapeOf(tview.key_type));
  TVIEWS_ASSIGN_OR_RETURN(std::vector<Datum> values, ValuesOf(affected.keys, shape));
  TVIEWS_ASSIGN_OR_RETURN(const std::size_t distinct, pg::CallFor([&] {
                            return SortDistinct(tview, values.data(), values.size());
                          }));
  if (distinct == values.size()) return affected;
  affected.keys.clear();
  for (std::size_t i = 0; i < distinct; ++i) {
    TVIEWS_ASSIGN_OR_RETURN(std::string image, pg::DatumImage(values[i], shape));
    affected.keys.insert(std::move(image));
  }
  return affected;
}

std::vector<std::string> SortKeys(const AffectedKeys& affected, TypeId type) {
  std::vector<std::string> keys;
  if (!IsInteger(type)) {
    keys.assign(affected.keys.begin(), affected.keys.end());
    std::sort(keys.begin(), keys.end());
    return keys;
  }
  std::vector<std::pair<std::int64_t, const std::string*>> numbers;
  numbers.reserve(affected.keys.size());
  for (const std::string& key : affected.keys) numbers.emplace_back(IntegerOf(key), &key);
  std::sort(numbers.begin(), numbers.end());
  keys.reserve(numbers.size());
  for (const auto& [number, key] : numbers) keys.push_back(*key);
  return keys;
}

bool AreDense(const std::vector<std::string>& keys, TypeId type) {
  if (keys.empty() || !IsInteger(type)) return false;
  // Modulo 2^64, where no distance overflows.
  const std::uint64_t distance = static_cast<std::uint64_t>(IntegerOf(keys.back())) -
                                 static_cast<std::uint64_t>(IntegerOf(keys.front()));
  return distance < keys.size() + keys.size() / 4;
}

std::vector<std::string> KeyRows(const std::vector<std::string>& images) {
  std::vector<std::string> rows;
  rows.reserve(images.size());
  for (const std::string& image : images) {
    rows.emplace_back();
    AppendField(image, &rows.back());
  }
  return rows;
}

absl::StatusOr<StatementParameter> KeyArray(const std::vector<std::string>& images, TypeId type,
                                            pg::TypeShape shape) {
  std::vector<Datum> values(images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    TVIEWS_ASSIGN_OR_RETURN(values[i], pg::DatumFromImage(images[i], shape));
  }
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

absl::StatusOr<StatementParameter> KeyBounds(const std::vector<std::string>& images, TypeId type,
                                             pg::TypeShape shape) {
  return KeyArray({images.front(), images.back()}, type, shape);
}

}  // namespace tviews::worker
