// pg_tviews_build_array: jsonb_agg of jsonb values.
//
// The server's aggregate takes every element apart and writes it anew. This one keeps its bytes.
#include <cstdint>

#include "shared/pg/boundary/export.h"
#include "shared/pg/documents/jsonb_parts.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/jsonb.h>
#include <utils/memutils.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

extern "C" {
PG_FUNCTION_INFO_V1(tviews_build_array_step);
PG_FUNCTION_INFO_V1(tviews_build_array_end);
}
TVIEWS_EXPORT Datum tviews_build_array_step(PG_FUNCTION_ARGS);
TVIEWS_EXPORT Datum tviews_build_array_end(PG_FUNCTION_ARGS);

namespace tviews::pg {
namespace {

constexpr std::uint32_t kFirstCapacity = 16;

struct Elements {
  JsonbPart* parts;
  std::uint32_t count;
  std::uint32_t capacity;
};

Elements* MakeElements() {
  auto* const elements = static_cast<Elements*>(palloc0(sizeof(Elements)));
  elements->capacity = kFirstCapacity;
  elements->parts = static_cast<JsonbPart*>(palloc(sizeof(JsonbPart) * kFirstCapacity));
  return elements;
}

// `part` points into memory of the current row.
void Add(Elements* elements, JsonbPart part) {
  if (elements->count == elements->capacity) {
    elements->capacity *= 2;
    elements->parts = static_cast<JsonbPart*>(
        repalloc(elements->parts, sizeof(JsonbPart) * Size{elements->capacity}));
  }
  if (part.length > 0) {
    auto* const copy = static_cast<char*>(palloc(part.length));
    memcpy(copy, part.bytes, part.length);
    part.bytes = copy;
  }
  elements->parts[elements->count++] = part;
}

}  // namespace
}  // namespace tviews::pg

Datum tviews_build_array_step(PG_FUNCTION_ARGS) {
  using namespace tviews::pg;
  MemoryContext memory = nullptr;
  if (!AggCheckCallContext(fcinfo, &memory)) {
    elog(ERROR, "tviews_build_array_step called in non-aggregate context");
  }
  const JsonbPart part = PG_ARGISNULL(1) ? kJsonbNull : JsonbMember(PG_GETARG_DATUM(1));
  MemoryContext const previous = MemoryContextSwitchTo(memory);
  auto* const elements =
      PG_ARGISNULL(0) ? MakeElements() : reinterpret_cast<Elements*>(PG_GETARG_POINTER(0));
  Add(elements, part);
  MemoryContextSwitchTo(previous);
  PG_RETURN_POINTER(elements);
}

Datum tviews_build_array_end(PG_FUNCTION_ARGS) {
  using namespace tviews::pg;
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  const auto* const elements = reinterpret_cast<const Elements*>(PG_GETARG_POINTER(0));
  const Datum array = MakeJsonbArray(elements->parts, elements->count);
  if (array == 0) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("total size of jsonb array elements exceeds the maximum of %u bytes",
                           JENTRY_OFFLENMASK)));
  }
  return array;
}
