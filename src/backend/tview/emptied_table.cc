#include "backend/tview/emptied_table.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/tview/column_upkeep.h"
#include "backend/tview/comments.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

namespace tviews::backend {
namespace {

// The types of the view's columns as SQL, with their collations.
absl::StatusOr<std::vector<std::string>> TypesOf(RelationId view) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT format_type(a.atttypid, a.atttypmod) || coalesce(' COLLATE ' ||"
          " quote_ident(n.nspname) || '.' || quote_ident(c.collname), '') FROM pg_attribute a"
          " JOIN pg_type y ON y.oid = a.atttypid LEFT JOIN pg_collation c ON c.oid ="
          " a.attcollation AND c.oid <> y.typcollation LEFT JOIN pg_namespace n ON n.oid ="
          " c.collnamespace WHERE a.attrelid = $1::oid AND a.attnum > 0 ORDER BY a.attnum",
          {std::to_string(view)}));
  std::vector<std::string> types;
  for (const pg::SqlRow& row : found.rows) types.push_back(pg::RowReader(row).Text());
  return types;
}

absl::StatusOr<std::string> PrimaryKeyOf(RelationId table) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT quote_ident(conname) FROM pg_constraint WHERE conrelid = $1::oid"
                           " AND contype = 'p'",
                           {std::to_string(table)}));
  return found.rows.empty() ? std::string() : pg::RowReader(found.rows[0]).Text();
}

bool IsTouched(const ColumnExchange& exchange, const std::string& name) {
  return absl::c_any_of(exchange.dropped,
                        [&](const NumberedColumn& column) { return column.shape.name == name; }) ||
         absl::c_any_of(exchange.retyped, [&](AttributeNumber number) {
           return exchange.wanted[static_cast<std::size_t>(number) - 1].name == name;
         });
}

bool Stays(const ColumnExchange& exchange, const std::string& name) {
  return absl::c_none_of(exchange.dropped,
                         [&](const NumberedColumn& column) { return column.shape.name == name; });
}

// The key goes first: a column may not lose its NOT NULL before.
absl::Status DropKey(const TviewFacts& tview, const ColumnExchange& exchange,
                     const std::vector<std::string>& key) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string constraint, PrimaryKeyOf(tview.relation));
  std::vector<std::string> actions;
  if (!constraint.empty()) {
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteCommand("ALTER TABLE " + tview.table + " DROP CONSTRAINT " + constraint));
  }
  for (const std::string& column : tview.key_columns) {
    if (absl::c_linear_search(key, column) || !Stays(exchange, column)) continue;
    actions.push_back("ALTER COLUMN " + QuoteIdentifier(column) + " DROP NOT NULL");
  }
  if (actions.empty()) return absl::OkStatus();
  return pg::ExecuteCommand("ALTER TABLE " + tview.table + " " + absl::StrJoin(actions, ", "));
}

std::vector<std::string> Actions(const ColumnExchange& exchange,
                                 const std::vector<std::string>& types) {
  std::vector<std::string> actions;
  for (const NumberedColumn& column : exchange.dropped) {
    actions.push_back("DROP COLUMN " + QuoteIdentifier(column.shape.name));
  }
  for (const AttributeNumber number : exchange.retyped) {
    const auto place = static_cast<std::size_t>(number) - 1;
    actions.push_back(absl::StrCat("ALTER COLUMN ", QuoteIdentifier(exchange.wanted[place].name),
                                   " TYPE ", types.at(place), " USING NULL::", types.at(place)));
  }
  for (std::size_t i = exchange.kept; i < exchange.wanted.size(); ++i) {
    actions.push_back(
        absl::StrCat("ADD COLUMN ", QuoteIdentifier(exchange.wanted[i].name), " ", types.at(i)));
  }
  return actions;
}

absl::Status AddKey(const TviewFacts& tview, const std::vector<std::string>& key) {
  std::vector<std::string> columns;
  for (const std::string& column : key) columns.push_back(QuoteIdentifier(column));
  return pg::ExecuteCommand("ALTER TABLE " + tview.table + " ADD PRIMARY KEY (" +
                            absl::StrJoin(columns, ", ") + ")");
}

std::vector<OutputColumn> AddedColumns(const ColumnExchange& exchange) {
  std::vector<OutputColumn> added;
  for (std::size_t i = exchange.kept; i < exchange.wanted.size(); ++i) {
    added.push_back({.name = exchange.wanted[i].name, .type = exchange.wanted[i].type});
  }
  return added;
}

}  // namespace

absl::Status ReshapeEmptied(const TviewFacts& tview, const ColumnExchange& exchange,
                            const std::vector<std::string>& key) {
  const bool is_other_key =
      key != tview.key_columns ||
      absl::c_any_of(key, [&](const std::string& column) { return IsTouched(exchange, column); });
  if (is_other_key) TVIEWS_RETURN_IF_ERROR(DropKey(tview, exchange, key));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> types, TypesOf(tview.backing_view));
  const std::vector<std::string> actions = Actions(exchange, types);
  if (!actions.empty()) {
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteCommand("ALTER TABLE " + tview.table + " " + absl::StrJoin(actions, ", ")));
  }
  if (is_other_key) {
    TVIEWS_RETURN_IF_ERROR(AddKey(tview, key));
    TVIEWS_RETURN_IF_ERROR(MoveKeyComments(tview.relation));
  }
  return CompressDocuments(tview.table, AddedColumns(exchange));
}

absl::Status CheckSamePlaces(const TviewFacts& tview, const TviewFacts& shadow) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT coalesce(a.attname, b.attname) FROM (SELECT * FROM pg_attribute WHERE attrelid ="
          " $1::oid AND attnum > 0) AS a FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid ="
          " $2::oid AND attnum > 0) AS b ON a.attnum = b.attnum WHERE a.attisdropped IS DISTINCT"
          " FROM b.attisdropped OR NOT a.attisdropped AND (a.attname, a.atttypid, a.atttypmod,"
          " a.attcollation, a.attlen, a.attbyval, a.attalign) IS DISTINCT FROM (b.attname,"
          " b.atttypid, b.atttypmod, b.attcollation, b.attlen, b.attbyval, b.attalign) LIMIT 1",
          {std::to_string(tview.relation), std::to_string(shadow.relation)}));
  if (found.rows.empty()) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "cannot replace TVIEW " + tview.table,
                        .detail = "Its columns were changed since the replacement began: \"" +
                                  found.rows[0][0].value_or("") + "\".",
                        .hint = "Call pg_tviews_replace_cancel(), and begin again.",
                        .sqlstate = "55000"});
}

}  // namespace tviews::backend
