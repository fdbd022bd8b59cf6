// The files of relations, exchanged or begun anew beneath their catalog entries.
//
// Layer:   backend
// Sharing: private to one process; catalog entries
// Errors:  raises: every function runs inside Call
//
// As CLUSTER does with the copy that it makes, only that here both relations are of before: neither
// file is new, so what is in them has been logged. A relation keeps its OID, and all that hangs on
// that.

#ifndef PG_TVIEWS_BACKEND_DDL_RELATION_FILES_H_
#define PG_TVIEWS_BACKEND_DDL_RELATION_FILES_H_

#include "shared/types.h"

namespace tviews::backend {

// Gives `table`, its TOAST table and its indexes new, empty files. Nothing is told to triggers or
// to subscribers. Fails if a statement of this session uses it, or if its file is of this
// transaction.
void EmptyTable(RelationId table);

// Exchanges the files of two tables, with their TOAST tables, or of two indexes.
// REQUIRES: both are locked in ACCESS EXCLUSIVE mode, are permanent, and have the same columns.
void ExchangeFiles(RelationId relation, RelationId other);

// Gives the TOAST table of `table` the name that it would have been created with.
// REQUIRES: the one that had that name is gone.
void RenameToast(RelationId table);

// What the planner knows of the columns of `from` becomes what it knows of those of `to`; where
// nothing is known, it keeps what it knew.
void MoveStatistics(RelationId from, RelationId to);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_RELATION_FILES_H_
