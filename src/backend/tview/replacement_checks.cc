#include "backend/tview/replacement_checks.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "backend/tview/column_exchange.h"
#include "backend/tview/defining_query.h"
#include "backend/tview/facts.h"
#include "backend/tview/online_fill.h"
#include "backend/tview/redefine.h"
#include "backend/tview/shadow.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/table_checks.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/status_macros.h"

namespace tviews::backend {
namespace {

absl::Status CheckOnline(const TviewFacts& tview) {
  TVIEWS_RETURN_IF_ERROR(CheckPopulated(tview.relation));
  return CheckNobodyFollows(tview);
}

absl::Status CheckReplacement(const WantedReplacement& wanted) {
  TVIEWS_RETURN_IF_ERROR(CheckOwner(wanted.tview));
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(wanted.tview));
  TVIEWS_RETURN_IF_ERROR(CheckIsNotBeingReplaced(facts));
  if (wanted.is_online) TVIEWS_RETURN_IF_ERROR(CheckOnline(facts));
  TVIEWS_ASSIGN_OR_RETURN(const DefiningQuery parsed, ParseDefiningQuery(wanted.query, {}));
  if (!wanted.is_online) TVIEWS_RETURN_IF_ERROR(CheckKeepsKey(facts, parsed, wanted.key));
  TVIEWS_ASSIGN_OR_RETURN(const std::string own_key, KeyAsText(facts.key_columns));
  TVIEWS_ASSIGN_OR_RETURN(
      const std::vector<AttributeNumber> key,
      ChooseKey(parsed, facts.entity, wanted.key.empty() ? own_key : wanted.key));
  TVIEWS_RETURN_IF_ERROR(AnalyzeFor(wanted.tview, parsed.tree, key).status());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<ColumnShape> shape, ShapeOfQuery(parsed.tree));
  TVIEWS_ASSIGN_OR_RETURN(ColumnExchange exchange, PlanExchange(facts, shape));
  exchange.key_may_change = wanted.is_online;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ViewsToReadAgain(facts, exchange));
  return CheckExchange(facts, exchange, readers);
}

}  // namespace

absl::StatusOr<std::string> RefusalOf(const WantedReplacement& wanted) {
  const absl::Status status = pg::RunSubtransaction([&] { return CheckReplacement(wanted); });
  if (status.ok()) return std::string();
  if (pg::HasSqlState(status, "57014")) return status;
  const std::string detail = pg::ErrorDetail(status);
  return absl::StrCat(status.message(), detail.empty() ? "" : ": ", detail);
}

}  // namespace tviews::backend
