// pg_repack, which rewrites a table beside its writers: what a TVIEW lets it do.
//
// Layer:   pg
// Sharing: immutable
// Errors:  raises ereport
//
// It follows the table by a row trigger that writes what changes into a log of its own, and swaps
// the table's files at the end, under locks that it holds for moments. The applier fires that
// trigger (worker/write/repack_log.h), and no other.

#ifndef PG_TVIEWS_SHARED_PG_SERVER_REPACK_H_
#define PG_TVIEWS_SHARED_PG_SERVER_REPACK_H_

#include "shared/types.h"

namespace tviews::pg {

// True of a function that belongs to the extension pg_repack.
bool IsOfRepack(Oid32 function);

// True in a session of the program, in a database that has the extension.
bool IsRepackSession();

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SERVER_REPACK_H_
