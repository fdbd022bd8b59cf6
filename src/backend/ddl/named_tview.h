// TVIEWs and their views as statements name them.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status; what is refused is FailedPrecondition with SQLSTATE 42809

#ifndef PG_TVIEWS_BACKEND_DDL_NAMED_TVIEW_H_
#define PG_TVIEWS_BACKEND_DDL_NAMED_TVIEW_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

struct RangeVar;

namespace tviews::backend {

// 0 where there is no such relation: the command itself will say so.
absl::StatusOr<RelationId> Resolve(const RangeVar* name);

// `what`: "cannot lock". The message goes on with the TVIEW's name.
absl::Status Refuse(const RangeVar* name, const std::string& what, const std::string& hint);
absl::Status RefuseIfTview(const RangeVar* name, const std::string& what, const std::string& hint);

// A backing view follows its table: `view` is that of `tview`.
absl::Status RefuseAlteringView(const RangeVar* view, RelationId tview);
absl::Status RefuseIfBackingView(const RangeVar* view);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_NAMED_TVIEW_H_
