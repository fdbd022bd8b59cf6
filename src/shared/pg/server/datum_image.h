// Values as bytes that mean the same in every process of the cluster.
//
// Layer:   pg
// Sharing: immutable
// Errors:  returns Status (detoasting reads a table)
//
// The image of a by-value or fixed-length value is its bytes in native order; of a varlena its
// data, detoasted and without header; of a cstring its bytes. Images are compared as bytes: two
// values with the same image are identical, which is stricter than `=` (LINEAGE counterexample 19).

#ifndef PG_TVIEWS_SHARED_PG_SERVER_DATUM_IMAGE_H_
#define PG_TVIEWS_SHARED_PG_SERVER_DATUM_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::pg {

using DatumValue = std::uintptr_t;  // the server's Datum

// Length and passing convention of a type, as in pg_type and pg_attribute.
struct TypeShape {
  std::int16_t length = 0;
  bool by_value = false;
};

absl::StatusOr<TypeShape> ShapeOf(TypeId type);

// Appends the value's field (source_key.h) to `key`. By-value and short values take no Call.
absl::Status AppendDatumField(DatumValue value, bool is_null, TypeShape shape, std::string* key);

// The image of a non-NULL value.
absl::StatusOr<std::string> DatumImage(DatumValue value, TypeShape shape);

// The value of an image, allocated in the current memory context.
absl::StatusOr<DatumValue> DatumFromImage(std::string_view image, TypeShape shape);

// True if both values have the same image; detoasts only when the sizes agree.
absl::StatusOr<bool> SameImage(DatumValue a, DatumValue b, TypeShape shape);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SERVER_DATUM_IMAGE_H_
