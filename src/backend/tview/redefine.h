// Giving a TVIEW another query, and making a TVIEW of a table that exists.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// Both keep the table with its rows, indexes and privileges; the columns must therefore be the
// same. The sources count as changed as a whole, so that the next batch brings the rows up to date:
// until then the rows are those of before. pg_tviews_wait() waits for it.

#ifndef PG_TVIEWS_BACKEND_TVIEW_REDEFINE_H_
#define PG_TVIEWS_BACKEND_TVIEW_REDEFINE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/tview/defining_query.h"
#include "backend/tview/facts.h"
#include "shared/types.h"

struct ViewStmt;

namespace tviews::backend {

// Gives the TVIEW called `text` the query `query`; returns the name of its table. `key`: that of
// the TVIEW, or empty.
absl::StatusOr<std::string> ReplaceTview(const std::string& text, const std::string& query,
                                         const std::string& key);

// Fails where `wanted`, which may be empty, is another key than that of `tview`: rows are found by
// their keys when they are compared.
absl::Status CheckKeepsKey(const TviewFacts& tview, const DefiningQuery& query,
                           const std::string& wanted);

// CREATE OR REPLACE VIEW of the backing view of a TVIEW, by its owner, is the same: the TVIEW, or
// 0. Not with names for the columns or options, which a backing view does not have.
absl::StatusOr<RelationId> TviewReplacedBy(const ViewStmt* statement);

// True if `statement`, whose text is `text`, was that, and is done.
absl::StatusOr<bool> ReplaceByView(const ViewStmt* statement, std::string_view text);

// Makes a TVIEW of the table tv_x, whose query is the view v_x beside it; returns its name. The key
// is `wanted_key`; if that is empty, the one that the names of the columns say.
absl::StatusOr<std::string> ConvertTable(const std::string& text, const std::string& wanted_key);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_REDEFINE_H_
