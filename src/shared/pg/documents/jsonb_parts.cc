#include "shared/pg/documents/jsonb_parts.h"

#include <algorithm>

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/jsonb.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

std::uint32_t PaddingBefore(const JsonbPart& part, std::uint64_t offset) {
  return part.is_aligned ? static_cast<std::uint32_t>(INTALIGN(offset) - offset) : 0;
}

std::uint64_t SizeOf(const JsonbPart* parts, std::uint32_t count) {
  std::uint64_t size = 0;
  for (std::uint32_t i = 0; i < count; ++i) size += PaddingBefore(parts[i], size) + parts[i].length;
  return size;
}

Datum MakeContainer(std::uint32_t header, const JsonbPart* parts, std::uint32_t count) {
  const std::uint64_t size = SizeOf(parts, count);
  if (size > JENTRY_OFFLENMASK) return 0;
  const Size head = offsetof(JsonbContainer, children) + sizeof(JEntry) * Size{count};
  auto* const whole = static_cast<char*>(palloc(VARHDRSZ + head + size));
  SET_VARSIZE(whole, VARHDRSZ + head + size);
  auto* const container = reinterpret_cast<JsonbContainer*>(VARDATA(whole));
  container->header = header;
  char* const data = VARDATA(whole) + head;
  std::uint32_t end = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t begin = end;
    const std::uint32_t padding = PaddingBefore(parts[i], begin);
    memset(data + begin, 0, padding);
    memcpy(data + begin + padding, parts[i].bytes, parts[i].length);
    end = begin + padding + parts[i].length;
    container->children[i] =
        parts[i].type | (i % JB_OFFSET_STRIDE == 0 ? end | JENTRY_HAS_OFF : end - begin);
  }
  return PointerGetDatum(whole);
}

}  // namespace

const JsonbPart kJsonbNull = {.type = JENTRY_ISNULL, .length = 0, .bytes = "", .is_aligned = false};

JsonbPart JsonbBoolean(bool value) {
  return {.type = static_cast<JEntry>(value ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE),
          .length = 0,
          .bytes = "",
          .is_aligned = false};
}

// What is too long stays too long.
JsonbPart JsonbString(const char* bytes, std::uint64_t length) {
  return {.type = JENTRY_ISSTRING,
          .length = static_cast<std::uint32_t>(
              std::min(length, static_cast<std::uint64_t>(PG_UINT32_MAX))),
          .bytes = bytes,
          .is_aligned = false};
}

JsonbPart JsonbNumber(std::uintptr_t numeric) {
  const char* const bytes = DatumGetPointer(numeric);
  return {.type = JENTRY_ISNUMERIC,
          .length = static_cast<std::uint32_t>(VARSIZE_ANY(bytes)),
          .bytes = bytes,
          .is_aligned = true};
}

// A scalar is stored as an array of one element, which is what becomes the member.
JsonbPart JsonbMember(std::uintptr_t jsonb) {
  const Jsonb* const value = DatumGetJsonbP(jsonb);
  const auto* const root = reinterpret_cast<const char*>(&value->root);
  if (!JB_ROOT_IS_SCALAR(value)) {
    return {.type = JENTRY_ISCONTAINER,
            .length = static_cast<std::uint32_t>(VARSIZE(value) - VARHDRSZ),
            .bytes = root,
            .is_aligned = true};
  }
  const JEntry entry = value->root.children[0];
  return {.type = entry & JENTRY_TYPEMASK,
          .length = JBE_OFFLENFLD(entry),
          .bytes = root + offsetof(JsonbContainer, children) + sizeof(JEntry),
          .is_aligned = JBE_ISNUMERIC(entry) != 0};
}

std::uintptr_t MakeJsonbObject(const JsonbPart* parts, std::uint32_t pairs) {
  return MakeContainer(JB_FOBJECT | pairs, parts, 2 * pairs);
}

std::uintptr_t MakeJsonbArray(const JsonbPart* parts, std::uint32_t count) {
  return MakeContainer(JB_FARRAY | count, parts, count);
}

}  // namespace tviews::pg
