// Replacing a TVIEW online: a shadow is filled beside it, and takes its place when it is complete.
//
// Layer:   backend
// Sharing: private to one process; pg_tview_replacement
// Errors:  returns Status; nothing is left behind, because the (sub)transaction is rolled back
//
// The shadow is a TVIEW like any other, of the same owner, settings and lane, which batches fill
// and keep up to date. Nobody has to know that it is one: the TVIEW itself stays what it was, and
// is refreshed as before. What is special is its table: its columns stand where those of the TVIEW
// will stand, with gaps where columns of that are gone, so that the two can exchange their files
// (tview/shadow_exchange.h).
//
// (1) A TVIEW has at most one shadow, and a shadow has none.
// (2) The shadow goes with the TVIEW.

#ifndef PG_TVIEWS_BACKEND_TVIEW_SHADOW_H_
#define PG_TVIEWS_BACKEND_TVIEW_SHADOW_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/tview/column_exchange.h"
#include "backend/tview/facts.h"
#include "shared/types.h"

namespace tviews::backend {

// Begins to replace the TVIEW that the user calls `text` by `query`, with the key `key`; empty: the
// key that it has. Returns the TVIEW's name.
absl::StatusOr<std::string> BeginReplacement(const std::string& text, const std::string& query,
                                             const std::string& key);

// Drops the shadow.
absl::StatusOr<std::string> CancelReplacement(const std::string& text);

// Its shadow, or 0.
absl::StatusOr<RelationId> ShadowOf(RelationId tview);

// The TVIEW that `relation` is the shadow of, or 0.
absl::StatusOr<RelationId> TviewShadowedBy(RelationId relation);

// Readers go on, and so do batches; other DDL waits.
absl::Status LockAgainstDdl(RelationId tview);

// Fails where it has a shadow, or is one.
absl::Status CheckIsNotBeingReplaced(const TviewFacts& tview);

// The error of who completes or cancels what has not begun.
absl::Status NotBeingReplaced(RelationId tview);

// Fails, naming the reason, where the rows of `tview` cannot be exchanged because others follow
// them row by row.
absl::Status CheckNobodyFollows(const TviewFacts& tview);

// What of `tview` changes with `wanted`, whatever becomes of its key.
absl::StatusOr<ColumnExchange> PlanForShadow(const TviewFacts& tview,
                                             const std::vector<ColumnShape>& wanted);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_SHADOW_H_
