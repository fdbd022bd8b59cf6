// The columns and the key of a new query for a table that has no rows.
//
// Layer:   backend
// Sharing: private to one process; catalog entries
// Errors:  returns Status
//
// Without rows nothing has to be cast, checked or written: types may change as they like.

#ifndef PG_TVIEWS_BACKEND_TVIEW_EMPTIED_TABLE_H_
#define PG_TVIEWS_BACKEND_TVIEW_EMPTIED_TABLE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "backend/tview/column_exchange.h"
#include "backend/tview/facts.h"

namespace tviews::backend {

// Gives the table of `tview` the columns that its view has, as `exchange` says, and the primary key
// `key`.
// REQUIRES: the table is empty, and nobody uses the columns that change.
absl::Status ReshapeEmptied(const TviewFacts& tview, const ColumnExchange& exchange,
                            const std::vector<std::string>& key);

// Fails unless both tables have the same columns, with the same gaps.
absl::Status CheckSamePlaces(const TviewFacts& tview, const TviewFacts& shadow);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_EMPTIED_TABLE_H_
