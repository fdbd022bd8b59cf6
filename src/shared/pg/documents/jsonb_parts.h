// A jsonb object or array, put together from the bytes of its members.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  every function may raise: call them inside pg::Call, or from the server's own code
//
// The server builds a jsonb value by way of a tree of its members, which it takes apart again for
// every value around it. Here each member is copied once, as the bytes that it will be. (1) The
// result is byte for byte the server's.

#ifndef PG_TVIEWS_SHARED_PG_DOCUMENTS_JSONB_PARTS_H_
#define PG_TVIEWS_SHARED_PG_DOCUMENTS_JSONB_PARTS_H_

#include <cstdint>

namespace tviews::pg {

// A key, a value, or an element.
struct JsonbPart {
  std::uint32_t type;  // the type bits of its JEntry
  std::uint32_t length;
  const char* bytes;
  bool is_aligned;
};

extern const JsonbPart kJsonbNull;

JsonbPart JsonbBoolean(bool value);
JsonbPart JsonbString(const char* bytes, std::uint64_t length);

// `numeric` is the datum of a number.
JsonbPart JsonbNumber(std::uintptr_t numeric);

// `jsonb` is the datum of a jsonb value, which may be toasted.
JsonbPart JsonbMember(std::uintptr_t jsonb);

// The datum of an object of `pairs` keys, sorted and distinct, followed by as many values; 0 if it
// would be larger than the server allows.
std::uintptr_t MakeJsonbObject(const JsonbPart* parts, std::uint32_t pairs);

// The same for an array.
std::uintptr_t MakeJsonbArray(const JsonbPart* parts, std::uint32_t count);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_DOCUMENTS_JSONB_PARTS_H_
