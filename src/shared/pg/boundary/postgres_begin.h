// Opens a block of server includes; postgres_end.h closes it.
//
// Layer:   pg
// Sharing: immutable
// Errors:  cannot fail
//
//   #include "shared/pg/boundary/postgres_begin.h"
//   #include <access/heapam.h>
//   #include "shared/pg/boundary/postgres_end.h"
//
// Only .cc files use it, after every other include: the server's macros break C++ headers that
// follow them. Server headers have no linkage guards, hence the extern "C".

extern "C" {
// On 15 the macro is empty on ELF, and with hidden visibility nothing would be exported.
#include <postgres.h>

#include <fmgr.h>
#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif
