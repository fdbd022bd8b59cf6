#include "worker/refresh/key_values.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/source_key.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
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

// In loops over keys, of which a batch can have millions.
absl::Status CheckInterruptsAt(std::size_t index) {
  if (index % 4096 != 0) return absl::OkStatus();
  return pg::Call([] { CHECK_FOR_INTERRUPTS(); });
}

int CompareKeys(const void* left, const void* right, void* argument) {
  CHECK_FOR_INTERRUPTS();
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
  if (!OidIsValid(order.compare->fn_oid)) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_FUNCTION),
             errmsg("could not identify a comparison function for type %s", format_type_be(type))));
  }
  return order;
}

// Sorts `values` and moves the distinct ones to the front. Returns how many they are.
std::size_t SortDistinct(KeyOrder* order, Datum* values, std::size_t count) {
  qsort_arg(values, count, sizeof(Datum), CompareKeys, order);
  std::size_t distinct = std::min<std::size_t>(count, 1);
  for (std::size_t i = 1; i < count; ++i) {
    if (CompareKeys(&values[distinct - 1], &values[i], order) != 0) values[distinct++] = values[i];
  }
  return distinct;
}

template <typename Images>
absl::StatusOr<std::vector<Datum>> ValuesOf(const Images& images, pg::TypeShape shape) {
  std::vector<Datum> values;
  values.reserve(images.size());
  for (const std::string& image : images) {
    TVIEWS_RETURN_IF_ERROR(CheckInterruptsAt(values.size()));
    TVIEWS_ASSIGN_OR_RETURN(values.emplace_back(), pg::DatumFromImage(image, shape));
  }
  return values;
}

}  // namespace

absl::StatusOr<KeySet> KeySet::Make(const TviewDefinition& tview, std::vector<std::string> images) {
  KeySet set;
  set.images_.insert(images.begin(), images.end());
  if (tview.key_is_image_equal || images.empty()) return set;
  set.tview_ = &tview;
  TVIEWS_ASSIGN_OR_RETURN(set.shape_, pg::ShapeOf(tview.key_type));
  TVIEWS_ASSIGN_OR_RETURN(set.values_, ValuesOf(images, set.shape_));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    set.order_ = OrderOf(tview);
    qsort_arg(set.values_.data(), set.values_.size(), sizeof(Datum), CompareKeys, &set.order_);
  }));
  return set;
}

absl::StatusOr<bool> KeySet::Contains(const std::string& image) const {
  if (images_.contains(image)) return true;
  if (values_.empty()) return false;
  TVIEWS_ASSIGN_OR_RETURN(const Datum value, pg::DatumFromImage(image, shape_));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview_->owner, tview_->settings));
  return pg::CallFor([&] {
    KeyOrder order = order_;
    return bsearch_arg(&value, values_.data(), values_.size(), sizeof(Datum), CompareKeys,
                       &order) != nullptr;
  });
}

absl::StatusOr<AffectedKeys> MergeEqualKeys(const TviewDefinition& tview, AffectedKeys affected) {
  if (affected.keys.size() < 2) return affected;
  TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape shape, pg::ShapeOf(tview.key_type));
  TVIEWS_ASSIGN_OR_RETURN(std::vector<Datum> values, ValuesOf(affected.keys, shape));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_ASSIGN_OR_RETURN(const std::size_t distinct, pg::CallFor([&] {
                            KeyOrder order = OrderOf(tview);
                            return SortDistinct(&order, values.data(), values.size());
                          }));
  if (distinct == values.size()) return affected;
  affected.keys.clear();
  for (std::size_t i = 0; i < distinct; ++i) {
    TVIEWS_RETURN_IF_ERROR(CheckInterruptsAt(i));
    TVIEWS_ASSIGN_OR_RETURN(std::string image, pg::DatumImage(values[i], shape));
    affected.keys.insert(std::move(image));
  }
  return affected;
}

absl::StatusOr<std::string> KeyText(const TviewDefinition& tview, const std::string& image) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape shape, pg::ShapeOf(tview.key_type));
  TVIEWS_ASSIGN_OR_RETURN(const Datum value, pg::DatumFromImage(image, shape));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  const char* text = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    Oid output = InvalidOid;
    bool is_varlena = false;
    getTypeOutputInfo(tview.key_type, &output, &is_varlena);
    text = OidOutputFunctionCall(output, value);
  }));
  return std::string(text);
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
  TVIEWS_ASSIGN_OR_RETURN(std::vector<Datum> values, ValuesOf(images, shape));
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
