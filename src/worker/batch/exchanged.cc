#include "worker/batch/exchanged.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

namespace tviews::worker {
namespace {

struct Exchange {
  RelationId shadow = 0;
  RelationId tview = 0;
};

// A batch may load the graph twice: what it has done already does not count any more.
absl::StatusOr<std::vector<Exchange>> ReadExchanges(const std::string& table) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result,
                          pg::ExecuteSql(absl::StrCat("SELECT shadow::oid, tview::oid FROM ", table,
                                                      " WHERE exchanged_at IS NOT NULL")));
  std::vector<Exchange> exchanges;
  for (const pg::SqlRow& row : result.rows) {
    pg::RowReader column(row);
    Exchange& exchange = exchanges.emplace_back();
    exchange.shadow = column.Oid();
    exchange.tview = column.Oid();
    TVIEWS_RETURN_IF_ERROR(column.End());
  }
  return exchanges;
}

absl::Status MoveDebts(const Exchange& exchange) {
  for (const pg::CatalogTable table : {pg::CatalogTable::kOwed, pg::CatalogTable::kBehind}) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, pg::QualifiedTable(table));
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteSql(absl::StrCat("DELETE FROM ", name, " WHERE tview = $1::oid"),
                       {absl::StrCat(exchange.tview)})
            .status());
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteSql(absl::StrCat("UPDATE ", name, " SET tview = $1::oid WHERE tview = $2::oid"),
                       {absl::StrCat(exchange.tview), absl::StrCat(exchange.shadow)})
            .status());
  }
  return absl::OkStatus();
}

absl::Status Forget(const std::string& table, RelationId shadow) {
  return pg::ExecuteSql(absl::StrCat("DELETE FROM ", table, " WHERE shadow = $1::oid"),
                        {absl::StrCat(shadow)})
      .status();
}

}  // namespace

absl::StatusOr<std::set<RelationId>> TakeOverDebts(const DependencyGraph& graph,
                                                   const DependencyGraph& all) {
  std::set<RelationId> left;
  TVIEWS_ASSIGN_OR_RETURN(const bool is_here, pg::HasCatalogTable(pg::CatalogTable::kReplacement));
  if (!is_here) return left;
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kReplacement));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Exchange> exchanges, ReadExchanges(table));
  for (const Exchange& exchange : exchanges) {
    const bool is_own = graph.Find(exchange.tview) != nullptr;
    if (!is_own && all.Find(exchange.tview) != nullptr) {
      left.insert(exchange.shadow);
      continue;
    }
    if (is_own) TVIEWS_RETURN_IF_ERROR(MoveDebts(exchange));
    TVIEWS_RETURN_IF_ERROR(Forget(table, exchange.shadow));
    TVIEWS_RETURN_IF_ERROR(pg::PausePoint("debts_taken"));
  }
  return left;
}

}  // namespace tviews::worker
