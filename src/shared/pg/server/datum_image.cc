#include "shared/pg/server/datum_image.h"

#include <bit>
#include <cstring>
#include <optional>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/source_key.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/detoast.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr std::int16_t kVarlena = -1;
constexpr std::int16_t kCString = -2;

static_assert(sizeof(DatumValue) == sizeof(Datum));

// The image, if the value lies in memory as it is; nullopt if it has to be detoasted. The view
// points into what `value` refers to, or, by value, into `value` itself.
std::optional<std::string_view> ImageInPlace(const DatumValue& value, TypeShape shape) {
  const std::size_t length = static_cast<std::size_t>(shape.length);
  if (shape.by_value) {
    const char* bytes = reinterpret_cast<const char*>(&value);
    if constexpr (std::endian::native == std::endian::big) bytes += sizeof(value) - length;
    return std::string_view(bytes, length);
  }
  const char* const bytes = DatumGetPointer(value);
  if (shape.length > 0) return std::string_view(bytes, length);
  if (shape.length == kCString) return std::string_view(bytes);
  if (VARATT_IS_EXTERNAL(bytes) || VARATT_IS_COMPRESSED(bytes)) return std::nullopt;
  return std::string_view(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

// A toasted value's image, in server memory that is freed with this object.
class Detoasted {
 public:
  static absl::StatusOr<Detoasted> Make(DatumValue value) {
    TVIEWS_ASSIGN_OR_RETURN(varlena* const flat, CallFor([value] {
                              return detoast_attr(reinterpret_cast<varlena*>(value));
                            }));
    return Detoasted(flat);
  }
  Detoasted(Detoasted&& other) noexcept : flat_(other.flat_) { other.flat_ = nullptr; }
  Detoasted& operator=(Detoasted&&) = delete;
  ~Detoasted() {
    if (flat_ != nullptr) pfree(flat_);
  }

  std::string_view image() const { return {VARDATA_ANY(flat_), VARSIZE_ANY_EXHDR(flat_)}; }

 private:
  explicit Detoasted(varlena* flat) : flat_(flat) {}

  varlena* flat_;
};

// True if two toasted values are the same bytes as stored: the same place in the TOAST table, or
// compressed alike. False says nothing.
bool SameStoredBytes(DatumValue a, DatumValue b) {
  const char* const left = DatumGetPointer(a);
  const char* const right = DatumGetPointer(b);
  const std::size_t size = VARSIZE_ANY(left);
  return size == VARSIZE_ANY(right) && std::memcmp(left, right, size) == 0;
}

absl::Status WrongSize() {
  return MakeError(absl::StatusCode::kInternal, {.message = "value image has the wrong size"});
}

}  // namespace

absl::StatusOr<TypeShape> ShapeOf(TypeId type) {
  return CallFor([type] {
    TypeShape shape;
    get_typlenbyval(type, &shape.length, &shape.by_value);
    return shape;
  });
}

absl::Status AppendDatumField(DatumValue value, bool is_null, TypeShape shape, std::string* key) {
  if (is_null) {
    AppendField(std::nullopt, key);
    return absl::OkStatus();
  }
  if (std::optional<std::string_view> image = ImageInPlace(value, shape); image.has_value()) {
    AppendField(image, key);
    return absl::OkStatus();
  }
  TVIEWS_ASSIGN_OR_RETURN(const Detoasted detoasted, Detoasted::Make(value));
  AppendField(detoasted.image(), key);
  return absl::OkStatus();
}

absl::StatusOr<std::string> DatumImage(DatumValue value, TypeShape shape) {
  if (std::optional<std::string_view> image = ImageInPlace(value, shape); image.has_value()) {
    return std::string(*image);
  }
  TVIEWS_ASSIGN_OR_RETURN(const Detoasted detoasted, Detoasted::Make(value));
  return std::string(detoasted.image());
}

absl::StatusOr<DatumValue> DatumFromImage(std::string_view image, TypeShape shape) {
  if (shape.length > 0 && image.size() != static_cast<std::size_t>(shape.length)) {
    return WrongSize();
  }
  if (shape.by_value) {
    switch (shape.length) {
      case sizeof(char):
        return CharGetDatum(image[0]);
      case sizeof(std::int16_t): {
        std::int16_t value;
        std::memcpy(&value, image.data(), sizeof(value));
        return Int16GetDatum(value);
      }
      case sizeof(std::int32_t): {
        std::int32_t value;
        std::memcpy(&value, image.data(), sizeof(value));
        return Int32GetDatum(value);
      }
      case sizeof(DatumValue): {
        DatumValue value;
        std::memcpy(&value, image.data(), sizeof(value));
        return value;
      }
      default:
        return WrongSize();
    }
  }
  return CallFor([image, shape]() -> DatumValue {
    const std::size_t header = shape.length == kVarlena ? VARHDRSZ : 0;
    const std::size_t trailer = shape.length == kCString ? 1 : 0;
    char* const copy = static_cast<char*>(palloc(header + image.size() + trailer));
    if (header != 0) SET_VARSIZE(copy, header + image.size());
    std::memcpy(copy + header, image.data(), image.size());
    if (trailer != 0) copy[image.size()] = '\0';
    return PointerGetDatum(copy);
  });
}

absl::StatusOr<bool> SameImage(DatumValue a, DatumValue b, TypeShape shape) {
  const std::optional<std::string_view> left = ImageInPlace(a, shape);
  const std::optional<std::string_view> right = ImageInPlace(b, shape);
  if (left.has_value() && right.has_value()) return *left == *right;
  if (SameStoredBytes(a, b)) return true;
  TVIEWS_ASSIGN_OR_RETURN(const bool same_size, CallFor([a, b] {
                            return toast_raw_datum_size(a) == toast_raw_datum_size(b);
                          }));
  if (!same_size) return false;
  TVIEWS_ASSIGN_OR_RETURN(const std::string left_image, DatumImage(a, shape));
  TVIEWS_ASSIGN_OR_RETURN(const std::string right_image, DatumImage(b, shape));
  return left_image == right_image;
}

}  // namespace tviews::pg
