#include "backend/tview/column_exchange.h"

#include <algorithm>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/ddl/retyped_table.h"
#include "backend/tview/names.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/uses.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
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

// Who uses a column: a view, a function or the like; a TVIEW does by its backing view.
struct User {
  std::string name;
  std::string column;
  RelationId view = 0;  // if it is a view
};

absl::StatusOr<std::vector<User>> UsersOf(RelationId relation, RelationId view,
                                          const std::vector<AttributeNumber>& numbers) {
  if (numbers.empty()) return std::vector<User>();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat(
              "SELECT DISTINCT CASE WHEN r.oid IS NOT NULL THEN pg_describe_object("
              "'pg_class'::regclass, r.ev_class, 0) ELSE pg_describe_object(d.classid, d.objid, 0)"
              " END AS name, coalesce(a.attname, ''), CASE WHEN c.relkind = 'v' AND r.ev_type = '1'"
              " THEN c.oid ELSE 0 END FROM pg_depend d"
              " LEFT JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass"
              " LEFT JOIN pg_class c ON c.oid = r.ev_class LEFT JOIN pg_attribute a"
              " ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
              " WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::oid"
              " AND d.refobjsubid IN (",
              absl::StrJoin(numbers, ", "),
              ") AND d.deptype = 'n' AND r.ev_class IS DISTINCT FROM $2::oid ORDER BY 1, 2"),
          {std::to_string(relation), std::to_string(view)}));
  std::vector<User> users;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    User& found_user = users.emplace_back();
    found_user.name = column.Text();
    found_user.column = column.Text();
    found_user.view = column.Oid();
    TVIEWS_RETURN_IF_ERROR(column.End());
  }
  return users;
}

void AddName(const std::string& name, std::vector<std::string>* names) {
  if (!absl::c_linear_search(*names, name)) names->push_back(name);
}

// Rules, defaults and privileges of single columns were made for the columns that there were.
absl::Status CheckViewIsBare(const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT 'security label' FROM pg_seclabel WHERE classoid = 'pg_class'::regclass AND"
          " objoid = $1::oid AND objsubid > 0 UNION ALL SELECT 'rule ' || quote_ident(rulename) "
          "FROM pg_rewrite WHERE ev_class = $1::oid AND"
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

bool IsRetyped(const ColumnExchange& exchange, const std::string& name) {
  return absl::c_any_of(exchange.retyped, [&](AttributeNumber number) {
    return exchange.wanted[static_cast<std::size_t>(number) - 1].name == name;
  });
}

// Of the table's columns, those that go or get another type.
absl::StatusOr<std::vector<AttributeNumber>> ChangedNumbers(const TviewFacts& tview,
                                                            const ColumnExchange& exchange) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<NumberedColumn> present,
                          ShapeOfRelation(tview.relation));
  std::vector<AttributeNumber> numbers = NumbersOf(exchange.dropped);
  for (const NumberedColumn& column : present) {
    const bool goes = absl::c_linear_search(numbers, column.number);
    if (!goes && IsRetyped(exchange, column.shape.name)) numbers.push_back(column.number);
  }
  return numbers;
}

}  // namespace

// Indexes and the like on columns that go; and what those that come back, in another place, had.
absl::Status ReportLostIndexes(const TviewFacts& tview, const ColumnExchange& exchange) {
  if (exchange.dropped.empty()) return absl::OkStatus();
  const std::string dropped = absl::StrJoin(NumbersOf(exchange.dropped), ", ");
  std::vector<std::string> wanted;
  for (const ColumnShape& column : exchange.wanted) wanted.push_back(column.name);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat(
              "SELECT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d"
              " WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::oid AND"
              " d.deptype = 'a' AND d.classid IN ('pg_class'::regclass,"
              " 'pg_statistic_ext'::regclass) AND d.refobjsubid IN (",
              dropped,
              ") UNION SELECT had.what || ' column ' || quote_ident(a.attname) FROM pg_attribute a"
              " CROSS JOIN LATERAL (SELECT 'every privilege on' WHERE a.attacl IS NOT NULL UNION "
              "ALL"
              " SELECT 'the comment on' WHERE col_description(a.attrelid, a.attnum) IS NOT NULL)"
              " AS had (what) WHERE a.attrelid = $1::oid AND a.attname = ANY ($2::name[])"
              " AND a.attnum IN (",
              dropped, ") ORDER BY 1"),
          {std::to_string(tview.relation), TextArray(wanted)}));
  for (const pg::SqlRow& row : found.rows) {
    const std::string name = pg::RowReader(row).Text();
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      ereport(NOTICE,
              (errmsg("%s goes with a column of TVIEW %s", name.c_str(), tview.table.c_str())));
    }));
  }
  return absl::OkStatus();
}

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

absl::StatusOr<std::vector<RelationId>> ViewsToReadAgain(const TviewFacts& tview,
                                                         const ColumnExchange& exchange) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<AttributeNumber> numbers,
                          ChangedNumbers(tview, exchange));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<User> users,
                          UsersOf(tview.relation, tview.backing_view, numbers));
  std::vector<RelationId> views;
  for (const User& user : users) {
    if (user.view != 0 && !absl::c_linear_search(views, user.view)) views.push_back(user.view);
  }
  return views;
}

absl::Status CheckExchange(const TviewFacts& tview, const ColumnExchange& exchange,
                           const std::vector<RelationId>& views) {
  if (!exchange.changes_present()) return absl::OkStatus();
  for (const std::string& key : tview.key_columns) {
    const auto is_key = [&](const NumberedColumn& column) { return column.shape.name == key; };
    if (exchange.key_may_change) break;
    if (!IsRetyped(exchange, key) && absl::c_none_of(exchange.dropped, is_key)) continue;
    return CannotChange(
        tview,
        "Column " + QuoteIdentifier(key) +
            " of its key would go, or get another type or another place.",
        "Leave it as it is in the query, or replace the TVIEW with online => true.");
  }
  TVIEWS_RETURN_IF_ERROR(CheckViewIsBare(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<AttributeNumber> numbers,
                          ChangedNumbers(tview, exchange));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<User> users,
                          UsersOf(tview.relation, tview.backing_view, numbers));
  std::vector<std::string> names;
  for (const User& user : users) {
    const bool stays = absl::c_any_of(
        exchange.wanted, [&](const ColumnShape& column) { return column.name == user.column; });
    if (!stays || !absl::c_linear_search(views, user.view)) AddName(user.name, &names);
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<NumberedColumn> of_view,
                          ShapeOfRelation(tview.backing_view));
  std::vector<AttributeNumber> of_view_numbers = NumbersOf(of_view);
  of_view_numbers.push_back(0);
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<User> users_of_view,
                          UsersOf(tview.backing_view, tview.backing_view, of_view_numbers));
  for (const User& user : users_of_view) AddName(user.name, &names);
  if (names.empty()) return absl::OkStatus();
  return CannotChange(tview,
                      "Columns that would go, or get another type or another place, are used by: " +
                          absl::StrJoin(names, ", ") + ".",
                      "Drop or change these first, and create them again afterwards.");
}

absl::StatusOr<std::vector<SavedView>> TakeAway(const TviewFacts& tview,
                                                const std::vector<RelationId>& views) {
  std::vector<SavedView> saved;
  for (const RelationId view : views) {
    TVIEWS_ASSIGN_OR_RETURN(const RelationId of, pg::TviewOfBackingView(view));
    TVIEWS_ASSIGN_OR_RETURN(saved.emplace_back(), SaveView(view, of));
  }
  for (const RelationId view : views) {
    TVIEWS_RETURN_IF_ERROR(ReleaseColumns(view, tview.relation));
  }
  return saved;
}

absl::Status PutBack(const TviewFacts& tview, const std::vector<SavedView>& views) {
  for (const SavedView& view : views) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(view.view));
    const absl::StatusOr<bool> keeps = KeepsColumns(view);
    if (!keeps.ok() || !*keeps) {
      return CannotChange(
          tview,
          "View " + name +
              (keeps.ok() ? " would return columns of other types."
                          : " would fail: " + std::string(keeps.status().message()) + "."),
          "Drop the view first, and create it again afterwards.");
    }
    TVIEWS_RETURN_IF_ERROR(RestoreView(view).status());
    // Lineage holds names and casts, and hashes of what the views say.
    TVIEWS_ASSIGN_OR_RETURN(std::vector<RelationId> readers, ReadersOf(view.view));
    if (view.tview != 0) readers.push_back(view.tview);
    for (const RelationId reader : readers) {
      TVIEWS_RETURN_IF_ERROR(RederiveLineage(reader));
      TVIEWS_RETURN_IF_ERROR(NoteTview(reader));
    }
  }
  return absl::OkStatus();
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
