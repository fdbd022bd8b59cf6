#include "backend/tview/column_exchange.h"

#include <algorithm>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/ddl/retyped_table.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

absl::Status CannotChange(const TviewFacts& tview, const std::string& detail,
                          const std::string& hint) {
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "cannot change the columns of TVIEW " + tview.table,
                        .detail = detail,
                        .hint = hint,
                        .sqlstate = "42P16"});
}

// Views, functions and the like, also TVIEWs by their backing views, as text.
absl::StatusOr<std::vector<std::string>> UsersOf(RelationId relation, RelationId view,
                                                 const std::vector<AttributeNumber>& numbers) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat(
              "SELECT DISTINCT CASE WHEN r.oid IS NOT NULL THEN pg_describe_object("
              "'pg_class'::regclass, r.ev_class, 0) ELSE pg_describe_object(d.classid, d.objid, 0)"
              " END AS name FROM pg_depend d LEFT JOIN pg_rewrite r ON r.oid = d.objid AND"
              " d.classid = 'pg_rewrite'::regclass WHERE d.refclassid = 'pg_class'::regclass AND"
              " d.refobjid = $1::oid AND d.refobjsubid IN (",
              absl::StrJoin(numbers, ", "),
              ") AND d.deptype = 'n' AND r.ev_class IS DISTINCT FROM $2::oid ORDER BY 1"),
          {std::to_string(relation), std::to_string(view)}));
  std::vector<std::string> names;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    names.push_back(column.Text());
    TVIEWS_RETURN_IF_ERROR(column.End());
  }
  return names;
}

// Rules, defaults and privileges of single columns were made for the columns that there were.
absl::Status CheckViewIsBare(const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT 'rule ' || quote_ident(rulename) FROM pg_rewrite WHERE ev_class = $1::oid AND"
          " ev_type <> '1' UNION ALL SELECT 'default of column ' || adnum FROM pg_attrdef WHERE"
          " adrelid = $1::oid UNION ALL SELECT 'privilege on column ' || quote_ident(attname) FROM"
          " pg_attribute WHERE attrelid = $1::oid AND attacl IS NOT NULL ORDER BY 1 LIMIT 1",
          {std::to_string(tview.backing_view)}));
  if (found.rows.empty()) return absl::OkStatus();
  return CannotChange(tview, "View " + tview.view + " has a " + found.rows[0][0].value_or("") + ".",
                      "Remove that, and create it again afterwards.");
}

std::vector<AttributeNumber> NumbersOf(const std::vector<NumberedColumn>& columns) {
  std::vector<AttributeNumber> numbers;
  for (const NumberedColumn& column : columns) numbers.push_back(column.number);
  return numbers;
}

absl::Status ReportLostIndexes(const TviewFacts& tview, const ColumnExchange& exchange) {
  if (exchange.dropped.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat("SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d"
                       " WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::oid AND"
                       " d.deptype = 'a' AND d.classid IN ('pg_class'::regclass,"
                       " 'pg_statistic_ext'::regclass) AND d.refobjsubid IN (",
                       absl::StrJoin(NumbersOf(exchange.dropped), ", "), ") ORDER BY 1"),
          {std::to_string(tview.relation)}));
  for (const pg::SqlRow& row : found.rows) {
    const std::string name = pg::RowReader(row).Text();
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      ereport(NOTICE,
              (errmsg("%s goes with a column of TVIEW %s", name.c_str(), tview.table.c_str())));
    }));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ColumnExchange> PlanExchange(const TviewFacts& tview,
                                            const std::vector<ColumnShape>& wanted) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<NumberedColumn> present,
                          ShapeOfRelation(tview.relation));
  ColumnExchange exchange;
  exchange.wanted = wanted;
  std::size_t next = 0;
  while (exchange.kept < wanted.size()) {
    const ColumnShape& column = wanted[exchange.kept];
    std::size_t found = next;
    while (found < present.size() && present[found].shape.name != column.name) ++found;
    if (found == present.size()) break;
    exchange.dropped.insert(exchange.dropped.end(), present.begin() + static_cast<long>(next),
                            present.begin() + static_cast<long>(found));
    ++exchange.kept;
    if (present[found].shape != column) {
      exchange.retyped.push_back(static_cast<AttributeNumber>(exchange.kept));
    }
    next = found + 1;
  }
  exchange.dropped.insert(exchange.dropped.end(), present.begin() + static_cast<long>(next),
                          present.end());
  return exchange;
}

absl::Status CheckExchange(const TviewFacts& tview, const ColumnExchange& exchange) {
  if (!exchange.changes_present()) return absl::OkStatus();
  for (const std::string& key : tview.key_columns) {
    const auto is_key = [&](const NumberedColumn& column) { return column.shape.name == key; };
    const bool is_retyped = absl::c_any_of(exchange.retyped, [&](AttributeNumber number) {
      return exchange.wanted[static_cast<std::size_t>(number) - 1].name == key;
    });
    if (!is_retyped && absl::c_none_of(exchange.dropped, is_key)) continue;
    return CannotChange(tview,
                        "Column " + QuoteIdentifier(key) +
                            " of its key would go, or get another type or another place.",
                        "Leave it as it is in the query, or create another TVIEW.");
  }
  TVIEWS_RETURN_IF_ERROR(CheckViewIsBare(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<NumberedColumn> present,
                          ShapeOfRelation(tview.relation));
  std::vector<AttributeNumber> numbers = NumbersOf(exchange.dropped);
  for (const NumberedColumn& column : present) {
    const bool is_retyped = absl::c_any_of(exchange.retyped, [&](AttributeNumber number) {
      return exchange.wanted[static_cast<std::size_t>(number) - 1].name == column.shape.name;
    });
    if (is_retyped) numbers.push_back(column.number);
  }
  TVIEWS_ASSIGN_OR_RETURN(std::vector<std::string> users,
                          UsersOf(tview.relation, tview.backing_view, numbers));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<NumberedColumn> of_view,
                          ShapeOfRelation(tview.backing_view));
  std::vector<AttributeNumber> of_view_numbers = NumbersOf(of_view);
  of_view_numbers.push_back(0);
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> users_of_view,
                          UsersOf(tview.backing_view, tview.backing_view, of_view_numbers));
  users.insert(users.end(), users_of_view.begin(), users_of_view.end());
  if (users.empty()) return absl::OkStatus();
  return CannotChange(tview,
                      "Columns that would go, or get another type or another place, are used by: " +
                          absl::StrJoin(users, ", ") + ".",
                      "Drop or change these first, and create them again afterwards.");
}

absl::Status PrepareView(const TviewFacts& tview, const ColumnExchange& exchange) {
  if (!exchange.changes_present()) return absl::OkStatus();
  return ReshapeView(tview.backing_view, exchange.wanted);
}

absl::Status DropAndRetype(const TviewFacts& tview, const ColumnExchange& exchange) {
  TVIEWS_RETURN_IF_ERROR(ReportLostIndexes(tview, exchange));
  if (!exchange.dropped.empty()) {
    std::vector<std::string> actions;
    for (const NumberedColumn& column : exchange.dropped) {
      actions.push_back("DROP COLUMN " + QuoteIdentifier(column.shape.name));
    }
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteCommand("ALTER TABLE " + tview.table + " " + absl::StrJoin(actions, ", ")));
  }
  if (exchange.retyped.empty()) return absl::OkStatus();
  absl::Status status = RetypeTable(tview.relation, tview.backing_view, exchange.retyped);
  if (!pg::HasSqlState(status, "23502") && !pg::HasSqlState(status, "23514")) return status;
  // Still a failure that ends the work, in words that fit what the user asked for.
  return CannotChange(tview, "The new type of a column does not allow the values that are there.",
                      "Cast the column to the base type in the query, or create another TVIEW.");
}

}  // namespace tviews::backend
