#include "backend/ddl/named_tview.h"

#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <nodes/parsenodes.h>
#include <storage/lockdefs.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {

absl::StatusOr<RelationId> Resolve(const RangeVar* name) {
  if (name == nullptr) return RelationId{0};
  return pg::CallFor([&]() -> RelationId { return RangeVarGetRelid(name, NoLock, true); });
}

absl::Status Refuse(const RangeVar* name, const std::string& what, const std::string& hint) {
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = what + " TVIEW \"" + name->relname + "\"", .hint = hint, .sqlstate = "42809"});
}

absl::Status RefuseIfTview(const RangeVar* name, const std::string& what, const std::string& hint) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(name));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  return is_tview ? Refuse(name, what, hint) : absl::OkStatus();
}

absl::Status RefuseAlteringView(const RangeVar* view, RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, RelationDisplayName(tview));
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "cannot alter view \"" + std::string(view->relname) +
                                   "\" because it is the backing view of a TVIEW",
                        .hint = "Alter " + table + " instead; its view follows.",
                        .sqlstate = "42809"});
}

absl::Status RefuseIfBackingView(const RangeVar* view) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(view));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId owner, pg::TviewOfBackingView(relation));
  return owner == 0 ? absl::OkStatus() : RefuseAlteringView(view, owner);
}

}  // namespace tviews::backend
