#include "backend/tview/change_cost.h"

#include <algorithm>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/planner/key_planner.h"
#include "shared/pg/planner/page_costs.h"
#include "shared/refresh_plan.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/relation.h>
#include <access/tupdesc.h>
#include <executor/spi.h>
#include <nodes/nodeFuncs.h>
#include <nodes/plannodes.h>
#include <parser/parsetree.h>
#include <storage/bufmgr.h>
#include <utils/plancache.h>
#include <utils/queryenvironment.h>
#include <utils/rel.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// --- Server style: inside a Call.

// Rows on a page of a table that nobody has counted.
constexpr double kRowsPerPage = 100;

double RowsOf(Oid relation) {
  Relation const opened = relation_open(relation, NoLock);  // the plan has locked it
  const double pages = RelationGetNumberOfBlocks(opened);
  const Form_pg_class form = opened->rd_rel;
  const double rows = form->reltuples >= 0 && form->relpages > 0
                          ? form->reltuples / form->relpages * pages
                          : kRowsPerPage * pages;
  relation_close(opened, NoLock);
  return rows;
}

double RowsRead(const PlannedStmt* statement, const Plan* plan, double loops);

struct Subplans {
  const PlannedStmt* statement;
  double loops;
  double rows;
};

// Sums up what subqueries in an expression read that is evaluated `loops` times.
bool AddSubplans(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* const found = static_cast<Subplans*>(context);
  if (IsA(node, SubPlan)) {
    const auto* const subplan = reinterpret_cast<SubPlan*>(node);
    const auto* const plan =
        static_cast<Plan*>(list_nth(found->statement->subplans, subplan->plan_id - 1));
    found->rows += RowsRead(found->statement, plan, subplan->useHashTable ? 1 : found->loops);
  }
  return expression_tree_walker(node, pg::compat::ForServer(AddSubplans), context);
}

double OfSubplans(const PlannedStmt* statement, const List* expressions, double loops) {
  Subplans found = {statement, loops, 0};
  AddSubplans(reinterpret_cast<Node*>(const_cast<List*>(expressions)), &found);
  return found.rows;
}

double OfList(const PlannedStmt* statement, const List* plans, double loops) {
  double rows = 0;
  for (int i = 0; i < list_length(plans); ++i) {
    rows += RowsRead(statement, static_cast<Plan*>(list_nth(plans, i)), loops);
  }
  return rows;
}

// What the node reads by itself.
double OfScan(const PlannedStmt* statement, const Plan* plan) {
  switch (nodeTag(plan)) {
    case T_SeqScan:
      return RowsOf(
          rt_fetch(reinterpret_cast<const Scan*>(plan)->scanrelid, statement->rtable)->relid);
    case T_IndexScan:
    case T_IndexOnlyScan:
    case T_BitmapHeapScan: {
      const Oid relation =
          rt_fetch(reinterpret_cast<const Scan*>(plan)->scanrelid, statement->rtable)->relid;
      return std::min(std::max(plan->plan_rows, 1.0), RowsOf(relation));
    }
    case T_ForeignScan:
    case T_TidScan:
      return plan->plan_rows;
    default:
      return 0;
  }
}

// How often the inner side of a nested loop is begun.
double InnerLoops(const Plan* plan, double loops) {
  const double outer = std::max(outerPlan(plan)->plan_rows, 1.0);
  const Plan* const inner = innerPlan(plan);
  if (IsA(inner, Material)) return loops;
  if (IsA(inner, Memoize)) {
    const double entries = reinterpret_cast<const Memoize*>(inner)->est_entries;
    return loops * (entries > 0 ? std::min(outer, entries) : outer);
  }
  return loops * outer;
}

// A LIMIT ends what hands on its rows one by one.
double LimitedLoops(const Plan* limit, double loops) {
  const Plan* const child = outerPlan(limit);
  if (IsA(child, Sort) || IsA(child, Agg) || IsA(child, IncrementalSort)) return loops;
  return loops * std::min(1.0, limit->plan_rows / std::max(child->plan_rows, 1.0));
}

double RowsRead(const PlannedStmt* statement, const Plan* plan, double loops) {
  if (plan == nullptr) return 0;
  const double own = OfScan(statement, plan);
  double rows = own * loops;
  rows += OfSubplans(statement, plan->initPlan, 1);
  rows += OfSubplans(statement, plan->targetlist, loops * std::max(plan->plan_rows, 1.0));
  rows += OfSubplans(statement, plan->qual, loops * std::max(own, 1.0));
  switch (nodeTag(plan)) {
    case T_Append:
      return rows + OfList(statement, reinterpret_cast<const Append*>(plan)->appendplans, loops);
    case T_MergeAppend:
      return rows +
             OfList(statement, reinterpret_cast<const MergeAppend*>(plan)->mergeplans, loops);
    case T_SubqueryScan:
      return rows +
             RowsRead(statement, reinterpret_cast<const SubqueryScan*>(plan)->subplan, loops);
    case T_NestLoop:
      return rows + RowsRead(statement, outerPlan(plan), loops) +
             RowsRead(statement, innerPlan(plan), InnerLoops(plan, loops));
    case T_Limit:
      return rows + RowsRead(statement, outerPlan(plan), LimitedLoops(plan, loops));
    default:
      return rows + RowsRead(statement, outerPlan(plan), loops) +
             RowsRead(statement, innerPlan(plan), loops);
  }
}

// What a statement with parameters of `types` reads.
double Estimate(const char* sql, int parameters, Oid* types) {
  SPIPlanPtr const plan = SPI_prepare_cursor(sql, parameters, types, CURSOR_OPT_GENERIC_PLAN);
  if (plan == nullptr) elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
  CachedPlan* const cached = SPI_plan_get_cached_plan(plan);
  if (cached == nullptr) elog(ERROR, "one statement has several plans");
  const auto* const statement = linitial_node(PlannedStmt, cached->stmt_list);
  const double rows = RowsRead(statement, statement->planTree, 1);
  ReleaseCachedPlan(cached, nullptr);
  SPI_freeplan(plan);
  return rows;
}

// One row of the delta that lookups read; it is planned for, not read.
void RegisterDelta(Oid source, const CapturedColumn* columns, int count) {
  Relation const relation = relation_open(source, AccessShareLock);
  TupleDesc const descriptor = CreateTemplateTupleDesc(count);
  for (int i = 0; i < count; ++i) {
    const Form_pg_attribute from =
        TupleDescAttr(RelationGetDescr(relation), columns[i].attribute - 1);
    char name[NAMEDATALEN];
    pg_snprintf(name, sizeof(name), "c%d", columns[i].attribute);
    const auto place = static_cast<AttrNumber>(i + 1);
    TupleDescInitEntry(descriptor, place, name, from->atttypid, from->atttypmod, from->attndims);
    TupleDescInitEntryCollation(descriptor, place, from->attcollation);
  }
  relation_close(relation, NoLock);
  auto* const named =
      static_cast<EphemeralNamedRelation>(palloc0(sizeof(EphemeralNamedRelationData)));
  named->md.name = pstrdup("pg_tviews_delta");
  named->md.tupdesc = descriptor;
  named->md.enrtype = ENR_NAMED_TUPLESTORE;
  named->md.enrtuples = 1;
  const int code = SPI_register_relation(named);
  if (code != SPI_OK_REL_REGISTER) {
    elog(ERROR, "SPI_register_relation failed: %s", SPI_result_code_string(code));
  }
}

// --- Returns Status.

// What the lookup reads for one changed row that starts along `path`.
absl::StatusOr<double> OfLookup(const SourceLineage& source, const LineagePath& path) {
  double rows = 0;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    RegisterDelta(source.source, path.captured.data(), static_cast<int>(path.captured.size()));
    rows = Estimate(path.lookup.c_str(), 0, nullptr);
    SPI_unregister_relation("pg_tviews_delta");
  }));
  return rows;
}

// What computing one key reads.
absl::StatusOr<double> OfKey(const TviewDefinition& tview) {
  const std::string sql = RefreshStatement(tview, RefreshShape::kSingle);
  std::vector<Oid> types;
  for (const KeyColumn& column : tview.key) types.push_back(column.type);
  return pg::CallFor(
      [&] { return Estimate(sql.c_str(), static_cast<int>(types.size()), types.data()); });
}

// What it reads to find the keys that have one part.
absl::StatusOr<double> OfPart(const TviewDefinition& tview, const LineagePath& path) {
  TviewDefinition partial = tview;
  partial.key.clear();
  for (const std::size_t i : path.part) partial.key.push_back(tview.key[i]);
  return OfKey(partial);
}

}  // namespace

absl::StatusOr<std::vector<double>> RowsReadPerChange(const TviewDefinition& tview,
                                                      const std::vector<SourceLineage>& sources,
                                                      const std::vector<pg::UsableState>& states) {
  const pg::KeyPlanning planning;
  const pg::PageCostsOfBatch page_costs;
  const std::string all = RefreshStatement(tview, RefreshShape::kWhole);
  std::vector<double> rows;
  TVIEWS_RETURN_IF_ERROR(pg::WithSpi([&]() -> absl::Status {
    double of_key = 0;
    {
      const pg::GroupStateUse use(states.data(), static_cast<int>(states.size()));
      TVIEWS_ASSIGN_OR_RETURN(of_key, OfKey(tview));
    }
    for (const SourceLineage& source : sources) {
      double& most = rows.emplace_back(0);
      for (const LineagePath& path : source.paths) {
        double read = of_key;
        if (path.strategy == Strategy::kFull) {
          TVIEWS_ASSIGN_OR_RETURN(read,
                                  pg::CallFor([&] { return Estimate(all.c_str(), 0, nullptr); }));
        } else if (!path.part.empty()) {
          TVIEWS_ASSIGN_OR_RETURN(const double of_part, OfPart(tview, path));
          read = std::max(read, of_part);
        }
        if (path.strategy == Strategy::kLookup) {
          TVIEWS_ASSIGN_OR_RETURN(const double lookup, OfLookup(source, path));
          read = std::max(read, lookup);
        }
        most = std::max(most, read);
      }
    }
    return absl::OkStatus();
  }));
  return rows;
}

}  // namespace tviews::backend
