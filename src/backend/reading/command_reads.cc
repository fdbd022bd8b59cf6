#include "backend/reading/command_reads.h"

#include <cstring>

#include "absl/status/statusor.h"
#include "shared/pg/tables/catalog.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <commands/prepare.h>
#include <nodes/parsenodes.h>
#include <nodes/plannodes.h>
#include <utils/plancache.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

Reading ReadingOfPrepared(const char* name) {
  const PreparedStatement* const prepared = FetchPreparedStatement(name, false);
  if (prepared == nullptr) return Reading::kNo;
  const List* const relations = prepared->plansource->relationOids;
  for (int i = 0; i < list_length(relations); ++i) {
    const absl::StatusOr<bool> is_tview = pg::IsTview(list_nth_oid(relations, i));
    if (is_tview.ok() && *is_tview) return Reading::kYes;
  }
  return prepared->plansource->invalItems == NIL ? Reading::kNo : Reading::kPerhaps;
}

bool IsAnalyze(const ExplainStmt* explain) {
  for (int i = 0; i < list_length(explain->options); ++i) {
    if (std::strcmp(static_cast<const DefElem*>(list_nth(explain->options, i))->defname,
                    "analyze") == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

Reading ReadingOf(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_CreateTableAsStmt:
    case T_RefreshMatViewStmt:
      return Reading::kYes;
    case T_CopyStmt:
      return reinterpret_cast<const CopyStmt*>(statement)->query != nullptr ? Reading::kYes
                                                                            : Reading::kNo;
    case T_ExplainStmt:
      return IsAnalyze(reinterpret_cast<const ExplainStmt*>(statement)) ? Reading::kYes
                                                                        : Reading::kNo;
    case T_ExecuteStmt:
      return ReadingOfPrepared(reinterpret_cast<const ExecuteStmt*>(statement)->name);
    case T_DeclareCursorStmt:
      return Reading::kYes;
    case T_CallStmt:
    case T_DoStmt:
      return Reading::kPerhaps;
    default:
      return Reading::kNo;
  }
}

bool SelectsByFunctions(const PlannedStmt* plan) {
  if (plan->commandType != CMD_SELECT) return false;
  for (int i = 0; i < list_length(plan->invalItems); ++i) {
    if (static_cast<const PlanInvalItem*>(list_nth(plan->invalItems, i))->cacheId == PROCOID) {
      return true;
    }
  }
  return false;
}

}  // namespace tviews::backend
