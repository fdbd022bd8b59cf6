// Other columns for a TVIEW that is there: what happens to each of them.
//
// Layer:   backend
// Sharing: private to one process; locks of the transaction
// Errors:  returns Status; what cannot be done is refused before anything is changed
//
// The first columns of the new query that the table has, in their order, stay, with another type
// where the query says so. What comes after them is added at the end, since a table has no other
// place for a column; what is left over is dropped. So a column in another place is dropped and
// added. Rows get the values of new columns with the next batch. Views that use a column which goes
// and comes back are kept as text meanwhile (ddl/saved_views.h), those of other TVIEWs among them.

#ifndef PG_TVIEWS_BACKEND_TVIEW_COLUMN_EXCHANGE_H_
#define PG_TVIEWS_BACKEND_TVIEW_COLUMN_EXCHANGE_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/ddl/reshaped_view.h"
#include "backend/ddl/saved_views.h"
#include "backend/tview/facts.h"
#include "shared/types.h"

namespace tviews::backend {

struct ColumnExchange {
  std::vector<ColumnShape> wanted;       // of the new query
  std::vector<NumberedColumn> dropped;   // of the table
  std::vector<AttributeNumber> retyped;  // numbers in the query; they stay
  std::size_t kept = 0;
  bool key_may_change = false;

  bool changes_any() const { return !dropped.empty() || !retyped.empty() || kept < wanted.size(); }
  // More than columns after those that are there.
  bool changes_present() const { return !dropped.empty() || !retyped.empty(); }
};

absl::StatusOr<ColumnExchange> PlanExchange(const TviewFacts& tview,
                                            const std::vector<ColumnShape>& wanted);

// Views that use a column which goes and comes back, or gets another type: their text is read again
// afterwards.
absl::StatusOr<std::vector<RelationId>> ViewsToReadAgain(const TviewFacts& tview,
                                                         const ColumnExchange& exchange);

// Fails where the key would go or change, or where others than those `views` use what goes or
// changes: their names are in the detail. REQUIRES: table, view and `views` are locked.
absl::Status CheckExchange(const TviewFacts& tview, const ColumnExchange& exchange,
                           const std::vector<RelationId>& views);

// Says which indexes go with columns of the table.
absl::Status ReportLostIndexes(const TviewFacts& tview, const ColumnExchange& exchange);

// Takes the views out of the way, and puts them back: fails where one would return other columns.
absl::StatusOr<std::vector<SavedView>> TakeAway(const TviewFacts& tview,
                                                const std::vector<RelationId>& views);
absl::Status PutBack(const TviewFacts& tview, const std::vector<SavedView>& views);

// Before the view gets its query: makes it fit for it.
absl::Status PrepareView(const TviewFacts& tview, const ColumnExchange& exchange);

// After it: drops and retypes columns of the table. Says which indexes go with them.
absl::Status DropAndRetype(const TviewFacts& tview, const ColumnExchange& exchange);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_COLUMN_EXCHANGE_H_
