#include "backend/ddl/retyped_table.h"

#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/tview/facts.h"
#include "backend/tview/key_type.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/transam.h>
#include <catalog/pg_class.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <parser/parse_coerce.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/regproc.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

struct Column {
  std::string name;  // quoted
  std::string type;  // as SQL, with its collation
  std::string key;   // its name, if it is one of the key
  Oid old_type = InvalidOid;
  Oid new_type = InvalidOid;
};

absl::StatusOr<std::vector<Column>> ReadColumns(const TviewFacts& tview,
                                                const std::vector<AttributeNumber>& numbers) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat("SELECT quote_ident(v.attname), format_type(v.atttypid, v.atttypmod) ||"
                       " coalesce(' COLLATE ' || quote_ident(n.nspname) || '.' || "
                       "quote_ident(c.collname), ''), v.attname,"
                       " t.atttypid, v.atttypid FROM pg_attribute v JOIN pg_attribute t"
                       " ON t.attrelid = $1::oid AND t.attname = v.attname AND NOT t.attisdropped"
                       " JOIN pg_type y ON y.oid = v.atttypid LEFT JOIN pg_collation c"
                       " ON c.oid = v.attcollation AND c.oid <> y.typcollation"
                       " LEFT JOIN pg_namespace n ON n.oid = c.collnamespace"
                       " WHERE v.attrelid = $2::oid AND v.attnum IN (",
                       absl::StrJoin(numbers, ", "), ") ORDER BY v.attnum"),
          {std::to_string(tview.relation), std::to_string(tview.backing_view)}));
  std::vector<Column> columns;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader reader(row);
    Column& column = columns.emplace_back();
    column.name = reader.Text();
    column.type = reader.Text();
    const std::string name = reader.Text();
    if (absl::c_linear_search(tview.key_columns, name)) column.key = name;
    column.old_type = reader.Oid();
    column.new_type = reader.Oid();
    TVIEWS_RETURN_IF_ERROR(reader.End());
  }
  return columns;
}

absl::StatusOr<Oid> FileNode(RelationId relation) {
  return pg::CallFor([relation] {
    HeapTuple const row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for relation %u", relation);
    const Oid node = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relfilenode;
    ReleaseSysCache(row);
    return node;
  });
}

// A cast by a function of somebody who gives the command would run as the owner.
absl::Status CheckCast(const Column& column, const TviewFacts& tview) {
  const char* name = nullptr;
  RoleId owner = 0;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    Oid function = InvalidOid;
    find_coercion_pathway(column.new_type, column.old_type, COERCION_EXPLICIT, &function);
    if (function < FirstNormalObjectId) return;
    HeapTuple const row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for function %u", function);
    owner = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row))->proowner;
    ReleaseSysCache(row);
    name = format_procedure(function);
  }));
  if (name == nullptr) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool may_use, MayUseObjectsOf(tview.owner, owner));
  if (may_use) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kPermissionDenied,
      {.message = "permission denied for function " + std::string(name),
       .detail = "It would cast a column of " + tview.table + " on behalf of its owner.",
       .hint = "A role that may act as the owner of the TVIEW has to alter the type."});
}

// What becomes of the stored values.
enum class Stored { kCast, kLost };

std::string AlterSql(const TviewFacts& tview, const std::vector<Column>& columns, Stored values) {
  std::vector<std::string> actions;
  for (const Column& column : columns) {
    actions.push_back(absl::StrCat("ALTER COLUMN ", column.name, " TYPE ", column.type, " USING ",
                                   values == Stored::kCast ? column.name : "NULL",
                                   "::", column.type));
  }
  return absl::StrCat("ALTER TABLE ", tview.table, " ", absl::StrJoin(actions, ", "));
}

absl::Status AlterAsOwner(const TviewFacts& tview, const std::string& sql) {
  const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::ForDdlOf(tview.owner));
  return pg::ExecuteCommand(sql);
}

// The casts of the values fail, not the command: invalid text, out of range, no such cast.
bool IsAboutValues(const absl::Status& status) {
  const std::string state = pg::SqlState(status);
  return state.rfind("22", 0) == 0 || state == "42846" || state == "42804";
}

}  // namespace

absl::Status CheckTypeFor(const SavedView& view, RelationId relation, AttributeNumber number) {
  RoleId owner = 0;
  const char* name = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    const Oid type = get_atttype(relation, number);
    if (type < FirstNormalObjectId) return;
    HeapTuple const row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for type %u", type);
    owner = reinterpret_cast<Form_pg_type>(GETSTRUCT(row))->typowner;
    ReleaseSysCache(row);
    name = format_type_be(type);
  }));
  if (name == nullptr) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool may_use, MayUseObjectsOf(view.owner, owner));
  if (may_use) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string view_name, RelationDisplayName(view.view));
  return pg::MakeError(
      absl::StatusCode::kPermissionDenied,
      {.message = "permission denied for type " + std::string(name),
       .detail = "View " + view_name + " would use its functions on behalf of the view's owner.",
       .hint = "A role that may act as the owner of the view has to alter the type."});
}

absl::Status RetypeTable(RelationId relation, RelationId view,
                         const std::vector<AttributeNumber>& numbers) {
  TVIEWS_ASSIGN_OR_RETURN(TviewFacts tview, ReadTviewFacts(relation));
  tview.backing_view = view;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Column> columns, ReadColumns(tview, numbers));
  bool has_key = false;
  for (const Column& column : columns) {
    TVIEWS_RETURN_IF_ERROR(CheckCast(column, tview));
    if (column.key.empty()) continue;
    has_key = true;
    TVIEWS_RETURN_IF_ERROR(CheckKeyType(column.key, column.new_type));
  }
  TVIEWS_ASSIGN_OR_RETURN(const Oid before, FileNode(relation));
  const absl::Status casts = pg::RunSubtransaction(
      [&] { return AlterAsOwner(tview, AlterSql(tview, columns, Stored::kCast)); });
  const bool is_lost = !casts.ok() && !has_key && IsAboutValues(casts);
  if (!casts.ok() && !is_lost) return casts;
  if (is_lost) TVIEWS_RETURN_IF_ERROR(AlterAsOwner(tview, AlterSql(tview, columns, Stored::kLost)));
  TVIEWS_ASSIGN_OR_RETURN(const Oid after, FileNode(relation));
  if (has_key && after != before) TVIEWS_RETURN_IF_ERROR(ForgetDeadKeys(relation));
  return after == before ? absl::OkStatus() : NoteExchange(relation, is_lost);
}

}  // namespace tviews::backend
