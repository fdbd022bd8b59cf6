// What the columns of every TVIEW get beside their values: compression, and indexes to find rows
// by.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// When a TVIEW is created, and when another definition adds columns to it.

#ifndef PG_TVIEWS_BACKEND_TVIEW_COLUMN_UPKEEP_H_
#define PG_TVIEWS_BACKEND_TVIEW_COLUMN_UPKEEP_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "backend/tview/defining_query.h"
#include "shared/types.h"

namespace tviews::backend {

// Compresses the documents among `columns` with lz4 where the server has it. `table`: quoted and
// qualified.
absl::Status CompressDocuments(const std::string& table, const std::vector<OutputColumn>& columns);

// Indexes on `id` and on every fk_* among `columns`: how documents are looked up besides by key.
// Nobody has asked for these, so they must not reject a document: no btree where a value may not
// fit into it. None for the columns `without`.
absl::Status CreateLookupIndexes(RelationId table, const std::vector<OutputColumn>& columns,
                                 const std::vector<AttributeNumber>& without);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_COLUMN_UPKEEP_H_
