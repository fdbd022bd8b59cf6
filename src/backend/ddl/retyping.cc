#include "backend/ddl/retyping.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/ddl/retyped_table.h"
#include "backend/ddl/saved_views.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/facts.h"
#include "backend/tview/names.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/table_checks.h"
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
#include <access/htup_details.h>
#include <catalog/namespace.h>
#include <catalog/pg_attribute.h>
#include <catalog/pg_class.h>
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/plannodes.h>
#include <optimizer/optimizer.h>
#include <parser/parse_coerce.h>
#include <parser/parse_type.h>
#include <storage/lmgr.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {

// A column of a relation whose type the command names.
struct AlteredColumn {
  Oid relation;
  AttrNumber number;
  Oid type;
  std::int32_t modifier;
  Oid collation;
  Oid file_node;  // of the relation
};

struct Retyping {
  AlteredColumn* columns;  // as they were; of the relation and of what inherits from it
  std::size_t column_count;
  SavedView* views;   // each after those that it reads
  char* is_released;  // each: it is made again in any case
  std::size_t view_count;
};

namespace {

using Columns = std::set<std::pair<RelationId, AttributeNumber>>;

const AlterTableCmd* CommandAt(const AlterTableStmt* statement, int i) {
  return static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
}

// --- Statements that change nothing. Inside Call.

bool NamesPresentType(Oid relation, const AlterTableCmd* command) {
  const auto* const definition = reinterpret_cast<const ColumnDef*>(command->def);
  if (command->subtype != AT_AlterColumnType || definition->raw_default != nullptr) return false;
  std::int32_t modifier = -1;
  HeapTuple const type = LookupTypeName(nullptr, definition->typeName, &modifier, true);
  if (!HeapTupleIsValid(type)) return false;
  const Oid wanted = reinterpret_cast<Form_pg_type>(GETSTRUCT(type))->oid;
  const bool is_defined = reinterpret_cast<Form_pg_type>(GETSTRUCT(type))->typisdefined;
  ReleaseSysCache(type);
  HeapTuple const row = SearchSysCacheAttName(relation, command->name);
  if (!HeapTupleIsValid(row) || !is_defined) {
    if (HeapTupleIsValid(row)) ReleaseSysCache(row);
    return false;
  }
  const auto* const column = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(row));
  const bool is_same =
      column->attnum > 0 && column->attinhcount == 0 && column->atttypid == wanted &&
      column->atttypmod == modifier &&
      column->attcollation ==
          GetColumnDefCollation(nullptr, const_cast<ColumnDef*>(definition), wanted);
  ReleaseSysCache(row);
  return is_same;
}

bool IsText(Oid type) { return type == TEXTOID || type == VARCHAROID; }

// As the server decides whether to rewrite the table.
bool KeepsValues(Oid relation, const AlterTableCmd* command) {
  const auto* const definition = reinterpret_cast<const ColumnDef*>(command->def);
  if (definition->raw_default != nullptr) return false;
  if (get_rel_relkind(relation) == RELKIND_FOREIGN_TABLE) return false;
  std::int32_t modifier = -1;
  HeapTuple const type = LookupTypeName(nullptr, definition->typeName, &modifier, true);
  if (!HeapTupleIsValid(type)) return false;
  const Oid wanted = reinterpret_cast<Form_pg_type>(GETSTRUCT(type))->oid;
  ReleaseSysCache(type);
  const AttrNumber number = get_attnum(relation, command->name);
  if (number <= 0) return false;
  Oid present = InvalidOid;
  std::int32_t present_modifier = -1;
  Oid collation = InvalidOid;
  get_atttypetypmodcoll(relation, number, &present, &present_modifier, &collation);
  if (wanted != present && !(IsText(wanted) && IsText(present))) return false;
  auto* const column =
      reinterpret_cast<Node*>(makeVar(1, number, present, present_modifier, collation, 0));
  Node* cast = coerce_to_target_type(nullptr, column, present, wanted, modifier,
                                     COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
  if (cast == nullptr) return false;
  cast = reinterpret_cast<Node*>(expression_planner(reinterpret_cast<Expr*>(cast)));
  while (IsA(cast, RelabelType)) {
    cast = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(cast)->arg);
  }
  return IsA(cast, Var);
}

bool IsUntypedTable(Oid relation) {
  HeapTuple const row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(row)) return false;
  const auto* const form = reinterpret_cast<Form_pg_class>(GETSTRUCT(row));
  const bool is_table = form->relkind == RELKIND_RELATION ||
                        form->relkind == RELKIND_PARTITIONED_TABLE ||
                        form->relkind == RELKIND_FOREIGN_TABLE;
  const bool is_typed = OidIsValid(form->reloftype);
  ReleaseSysCache(row);
  return is_table && !is_typed;
}

// --- Before the command.

// The relation and what has the same columns: inheritors, tables of a composite type.
constexpr char kMembers[] =
    "WITH RECURSIVE members (relation) AS (SELECT $1::oid UNION SELECT step.relation FROM members"
    " CROSS JOIN LATERAL (SELECT inhrelid FROM pg_inherits WHERE inhparent = members.relation"
    " UNION ALL SELECT t.oid FROM pg_class c JOIN pg_class t ON t.reloftype = c.reltype"
    " WHERE c.oid = members.relation AND c.relkind = 'c') AS step (relation))";

std::string NameArray(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(QuoteLiteral(name) + "::name");
  return absl::StrCat("ARRAY[", absl::StrJoin(quoted, ", "), "]");
}

absl::StatusOr<std::vector<AlteredColumn>> ReadColumns(RelationId relation,
                                                       const std::vector<std::string>& names) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat(kMembers,
                       " SELECT a.attrelid, a.attnum, a.atttypid, a.atttypmod, a.attcollation,"
                       " c.relfilenode FROM members JOIN pg_class c ON c.oid = relation"
                       " JOIN pg_attribute a ON a.attrelid = relation AND a.attnum > 0"
                       " AND NOT a.attisdropped AND a.attname = ANY (",
                       NameArray(names), ") ORDER BY 1, 2"),
          {std::to_string(relation)}));
  std::vector<AlteredColumn> columns;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    AlteredColumn altered{};
    altered.relation = column.Oid();
    altered.number = column.Number<AttributeNumber>();
    altered.type = column.Oid();
    altered.modifier = column.Number<std::int32_t>();
    altered.collation = column.Oid();
    altered.file_node = column.Oid();
    TVIEWS_RETURN_IF_ERROR(column.End());
    columns.push_back(altered);
  }
  return columns;
}

// A view of which the type of a column may change, and what it reads of the others.
struct ViewToSave {
  RelationId view = 0;
  RelationId tview = 0;
  bool reads_altered = false;
  std::vector<RelationId> reads;
};

// Views that TVIEWs read the columns through, and, transitively, the views that read one of these
// or the TVIEW's table. Others are in the way, and the server says so.
absl::StatusOr<std::vector<ViewToSave>> FindViews(RelationId relation,
                                                  const std::vector<std::string>& names) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  const std::string rule =
      " JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_type = '1'"
      " JOIN pg_class c ON c.oid = r.ev_class AND c.relkind = 'v'";
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat(
              kMembers,
              ", direct (view) AS (SELECT r.ev_class FROM members"
              " JOIN pg_attribute a ON a.attrelid = relation AND a.attnum > 0 AND a.attname = ANY "
              "(",
              NameArray(names),
              ") JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass"
              " AND d.refclassid = 'pg_class'::regclass AND d.refobjid = relation"
              " AND d.refobjsubid = a.attnum",
              rule, " WHERE EXISTS (SELECT FROM ", meta,
              " m WHERE r.ev_class = m.backing_view OR r.ev_class = ANY (m.nested_views))),"
              " views (view) AS (SELECT view FROM direct UNION SELECT step.view FROM views"
              " CROSS JOIN LATERAL (SELECT r.ev_class FROM pg_depend d",
              rule,
              " WHERE d.classid = 'pg_rewrite'::regclass"
              " AND d.refclassid = 'pg_class'::regclass AND r.ev_class <> views.view"
              " AND (d.refobjid = views.view OR d.refobjid = (SELECT m.tview FROM ",
              meta,
              " m WHERE m.backing_view = views.view))) AS step (view))"
              " SELECT v.view, coalesce(m.tview::oid, 0), v.view IN (TABLE direct),"
              " (SELECT string_agg(DISTINCT coalesce(read.backing_view::oid, d.refobjid)::text,"
              " ' ') FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass"
              " AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass"
              " AND d.refobjid <> v.view LEFT JOIN ",
              meta,
              " read ON read.tview = d.refobjid WHERE r.ev_class = v.view AND r.ev_type = '1')"
              " FROM views v LEFT JOIN ",
              meta, " m ON m.backing_view = v.view ORDER BY 1"),
          {std::to_string(relation)}));
  std::vector<ViewToSave> views;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    ViewToSave view;
    view.view = column.Oid();
    view.tview = column.Oid();
    view.reads_altered = column.IsTrue();
    view.reads = column.Numbers<RelationId>();
    TVIEWS_RETURN_IF_ERROR(column.End());
    views.push_back(std::move(view));
  }
  return views;
}

// Each after those that it reads.
class InOrder {
 public:
  explicit InOrder(std::vector<ViewToSave> views) {
    for (ViewToSave& view : views) by_id_[view.view] = std::move(view);
  }

  std::vector<const ViewToSave*> Sort() {
    for (const auto& [id, view] : by_id_) Add(id);
    return std::move(sorted_);
  }

 private:
  // Views do not read themselves, nor each other in a circle.
  void Add(RelationId id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end() || !seen_.insert(id).second) return;
    for (const RelationId read : found->second.reads) Add(read);
    sorted_.push_back(&found->second);
  }

  std::map<RelationId, ViewToSave> by_id_;
  std::set<RelationId> seen_;
  std::vector<const ViewToSave*> sorted_;
};

absl::Status LockViews(const std::vector<ViewToSave>& views) {
  for (const ViewToSave& view : views) {
    // Those that are made again in any case, so that nobody has read them before.
    const LOCKMODE mode = view.reads_altered ? AccessExclusiveLock : ShareUpdateExclusiveLock;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { LockRelationOid(view.view, mode); }));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ViewToSave>> LockedViews(RelationId relation,
                                                    const std::vector<std::string>& names) {
  TVIEWS_ASSIGN_OR_RETURN(std::vector<ViewToSave> views, FindViews(relation, names));
  for (;;) {
    TVIEWS_RETURN_IF_ERROR(LockViews(views));
    // While locks were waited for, others may have come or gone.
    TVIEWS_ASSIGN_OR_RETURN(std::vector<ViewToSave> again, FindViews(relation, names));
    const bool is_same = std::equal(views.begin(), views.end(), again.begin(), again.end(),
                                    [](const ViewToSave& a, const ViewToSave& b) {
                                      return a.view == b.view && a.tview == b.tview &&
                                             a.reads_altered == b.reads_altered;
                                    });
    views = std::move(again);
    if (is_same) return views;
  }
}

template <typename T>
absl::StatusOr<T*> Copy(const std::vector<T>& values) {
  static_assert(std::is_trivially_copyable_v<T>);
  return pg::CallFor([&] {
    T* const copy = static_cast<T*>(palloc(sizeof(T) * (values.size() + 1)));
    std::copy(values.begin(), values.end(), copy);
    return copy;
  });
}

absl::Status SaveViews(RelationId relation, const std::vector<std::string>& names,
                       Retyping* retyping) {
  TVIEWS_ASSIGN_OR_RETURN(std::vector<ViewToSave> views, LockedViews(relation, names));
  std::vector<SavedView> saved;
  std::vector<char> released;
  InOrder order(std::move(views));
  for (const ViewToSave* const view : order.Sort()) {
    TVIEWS_ASSIGN_OR_RETURN(saved.emplace_back(), SaveView(view->view, view->tview));
    released.push_back(view->reads_altered ? 1 : 0);
    for (std::size_t i = 0; view->reads_altered && i < retyping->column_count; ++i) {
      TVIEWS_RETURN_IF_ERROR(ReleaseColumns(view->view, retyping->columns[i].relation));
    }
  }
  retyping->view_count = saved.size();
  TVIEWS_ASSIGN_OR_RETURN(retyping->views, Copy(saved));
  TVIEWS_ASSIGN_OR_RETURN(retyping->is_released, Copy(released));
  return absl::OkStatus();
}

// --- After the command.

Oid FileNodeOf(Oid relation) {
  HeapTuple const row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(row)) return InvalidOid;
  const Oid node = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relfilenode;
  ReleaseSysCache(row);
  return node;
}

// What has become of the columns of tables and views.
struct Changes {
  Columns retyped;    // of another type, length or collation
  Columns rewritten;  // whose values may differ
};

absl::StatusOr<bool> IsForeign(RelationId relation) {
  return pg::CallFor([relation] { return get_rel_relkind(relation) == RELKIND_FOREIGN_TABLE; });
}

absl::Status CompareColumn(const AlteredColumn& before, Changes* changes, bool* rows_differ) {
  AlteredColumn now = before;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    get_atttypetypmodcoll(before.relation, before.number, &now.type, &now.modifier, &now.collation);
    now.file_node = FileNodeOf(before.relation);
  }));
  const std::pair<RelationId, AttributeNumber> column(before.relation, before.number);
  const bool is_retyped = now.type != before.type || now.modifier != before.modifier ||
                          now.collation != before.collation;
  if (is_retyped) changes->retyped.insert(column);
  TVIEWS_ASSIGN_OR_RETURN(const bool is_foreign, IsForeign(before.relation));
  const bool is_rewritten = now.file_node != before.file_node || (is_foreign && is_retyped);
  if (is_rewritten) changes->rewritten.insert(column);
  const bool is_same_type = now.type == before.type || (IsText(now.type) && IsText(before.type));
  *rows_differ |= is_rewritten || !is_same_type;
  return absl::OkStatus();
}

// The columns that the rule of `view` uses, as far as they are among `columns`.
absl::StatusOr<bool> ReadsAny(RelationId view, const Columns& columns) {
  if (columns.empty()) return false;
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT d.refobjid, d.refobjsubid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend "
          "d"
          " ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid"
          " AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0"
          " WHERE r.ev_class = $1::pg_catalog.oid AND r.ev_type = '1'",
          {std::to_string(view)}));
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    const RelationId relation = column.Oid();
    if (columns.contains({relation, column.Number<AttributeNumber>()})) return true;
  }
  return false;
}

void AddAll(RelationId relation, const std::vector<AttributeNumber>& numbers, Columns* columns) {
  for (const AttributeNumber number : numbers) columns->insert({relation, number});
}

absl::StatusOr<std::vector<AttributeNumber>> AllColumns(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(
      const int count, pg::CallFor([relation] {
        HeapTuple const row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
        if (!HeapTupleIsValid(row)) return 0;
        const int natts = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relnatts;
        ReleaseSysCache(row);
        return natts;
      }));
  std::vector<AttributeNumber> numbers;
  for (int i = 1; i <= count; ++i) numbers.push_back(static_cast<AttributeNumber>(i));
  return numbers;
}

class Finish {
 public:
  Finish(Retyping* retyping, Changes changes)
      : retyping_(*retyping), changes_(std::move(changes)) {}

  absl::Status Run() {
    TVIEWS_RETURN_IF_ERROR(CheckTypes());
    TVIEWS_RETURN_IF_ERROR(LockDependents());
    for (std::size_t i = 0; i < retyping_.view_count; ++i) {
      TVIEWS_RETURN_IF_ERROR(FollowView(retyping_.views[i], retyping_.is_released[i] != 0));
    }
    std::set<RelationId> readers;
    for (const RelationId view : restored_) {
      TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> of_view, ReadersOf(view));
      readers.insert(of_view.begin(), of_view.end());
    }
    // Lineage holds names and casts, and hashes of what the views say.
    for (const RelationId reader : readers) TVIEWS_RETURN_IF_ERROR(RederiveLineage(reader));
    return absl::OkStatus();
  }

 private:
  // Where the type of a column changes, those of others may. All of them are locked at once, none
  // being held while another is waited for: readers have their own order.
  absl::Status LockDependents() const {
    bool keep_columns = true;
    std::vector<RelationId> dependents;
    for (std::size_t i = 0; i < retyping_.view_count; ++i) {
      const SavedView& view = retyping_.views[i];
      dependents.push_back(view.view);
      if (view.tview != 0) dependents.push_back(view.tview);
      if (retyping_.is_released[i] == 0 || !keep_columns) continue;
      TVIEWS_ASSIGN_OR_RETURN(keep_columns, KeepsColumns(view));
    }
    return keep_columns ? absl::OkStatus() : LockTrees({}, dependents);
  }

  // Values of a type of users run their functions wherever they are printed or compared.
  absl::Status CheckTypes() const {
    for (const auto& [relation, number] : changes_.retyped) {
      for (std::size_t i = 0; i < retyping_.view_count; ++i) {
        TVIEWS_RETURN_IF_ERROR(CheckTypeFor(retyping_.views[i], relation, number));
      }
    }
    return absl::OkStatus();
  }

  absl::Status FollowView(const SavedView& view, bool is_released) {
    TVIEWS_ASSIGN_OR_RETURN(const bool reads_retyped, ReadsAny(view.view, changes_.retyped));
    RestoredView restored;
    if (is_released || reads_retyped) {
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] { LockRelationOid(view.view, AccessExclusiveLock); }));
      TVIEWS_ASSIGN_OR_RETURN(restored, RestoreView(view));
      restored_.push_back(view.view);
      AddAll(view.view, restored.retyped, &changes_.retyped);
    }
    if (view.tview != 0 && !restored.retyped.empty()) {
      TVIEWS_RETURN_IF_ERROR(RetypeTview(view, restored.retyped));
    }
    return NoteValues(view, restored.has_other_meaning);
  }

  // The views that read the table are out of the way meanwhile; their turn comes later.
  absl::Status RetypeTview(const SavedView& view, const std::vector<AttributeNumber>& numbers) {
    Columns retyped;
    AddAll(view.tview, numbers, &retyped);
    for (std::size_t i = 0; i < retyping_.view_count; ++i) {
      TVIEWS_ASSIGN_OR_RETURN(const bool is_reader, ReadsAny(retyping_.views[i].view, retyped));
      if (!is_reader) continue;
      TVIEWS_RETURN_IF_ERROR(ReleaseColumns(retyping_.views[i].view, view.tview));
      retyping_.is_released[i] = 1;
    }
    changes_.retyped.insert(retyped.begin(), retyped.end());
    return RetypeTable(view.tview, view.view, numbers);
  }

  // What reads other values shows others.
  absl::Status NoteValues(const SavedView& view, bool has_other_meaning) {
    TVIEWS_ASSIGN_OR_RETURN(const bool reads_others, ReadsAny(view.view, changes_.rewritten));
    if (!reads_others && !has_other_meaning) return absl::OkStatus();
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<AttributeNumber> all, AllColumns(view.view));
    AddAll(view.view, all, &changes_.rewritten);
    if (view.tview == 0) return absl::OkStatus();
    AddAll(view.tview, all, &changes_.rewritten);
    return NoteTview(view.tview);
  }

  Retyping& retyping_;
  Changes changes_;
  std::vector<RelationId> restored_;
};

std::vector<std::string> AlteredNames(const AlterTableStmt* statement) {
  std::vector<std::string> names;
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    const AlterTableCmd* const command = CommandAt(statement, i);
    if (command->subtype == AT_AlterColumnType) names.emplace_back(command->name);
  }
  return names;
}

}  // namespace

absl::Status RemoveNoops(PlannedStmt* planned) {
  if (!IsA(planned->utilityStmt, AlterTableStmt)) return absl::OkStatus();
  auto* const statement = reinterpret_cast<AlterTableStmt*>(planned->utilityStmt);
  if (AlteredNames(statement).empty()) return absl::OkStatus();
  Oid relation = InvalidOid;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    relation = RangeVarGetRelid(statement->relation, NoLock, true);
    if (OidIsValid(relation) && !IsUntypedTable(relation)) relation = InvalidOid;
  }));
  if (relation == InvalidOid) return absl::OkStatus();
  for (int i = list_length(statement->cmds) - 1; i >= 0; --i) {
    const AlterTableCmd* const command = CommandAt(statement, i);
    if (command->subtype != AT_AlterColumnType) continue;
    TVIEWS_ASSIGN_OR_RETURN(const bool is_noop,
                            pg::CallFor([&] { return NamesPresentType(relation, command); }));
    if (!is_noop) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> users,
                            UsersOfColumn(relation, command->name));
    if (users.empty()) continue;
    TVIEWS_RETURN_IF_ERROR(
        pg::Call([&] { statement->cmds = list_delete_nth_cell(statement->cmds, i); }));
  }
  return absl::OkStatus();
}

absl::Status LockViewsFirst(const Node* node) {
  if (!IsA(node, AlterTableStmt)) return absl::OkStatus();
  const auto* const statement = reinterpret_cast<const AlterTableStmt*>(node);
  const std::vector<std::string> names = AlteredNames(statement);
  if (names.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const Oid relation, pg::CallFor([&] {
                            const Oid found = RangeVarGetRelid(statement->relation, NoLock, true);
                            const bool is_owner =
                                OidIsValid(found) && pg::compat::OwnsRelation(found, GetUserId());
                            return is_owner ? found : InvalidOid;
                          }));
  if (relation == InvalidOid) return absl::OkStatus();
  bool changes_any = false;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    for (int i = 0; i < list_length(statement->cmds); ++i) {
      const AlterTableCmd* const command = CommandAt(statement, i);
      changes_any |= command->subtype == AT_AlterColumnType && !NamesPresentType(relation, command);
    }
  }));
  if (!changes_any) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(std::vector<ViewToSave> views, FindViews(relation, names));
  InOrder order(std::move(views));
  std::vector<const ViewToSave*> sorted = order.Sort();
  for (auto view = sorted.rbegin(); view != sorted.rend(); ++view) {
    if ((*view)->tview != 0 || !(*view)->reads_altered) continue;
    const RelationId id = (*view)->view;
    TVIEWS_RETURN_IF_ERROR(pg::Call([id] { LockRelationOid(id, AccessExclusiveLock); }));
  }
  return absl::OkStatus();
}

absl::StatusOr<RetypingKind> ForeseeRetyping(RelationId relation, const AlterTableCmd* command) {
  return pg::CallFor([=] {
    if (NamesPresentType(relation, command)) return RetypingKind::kNoop;
    return KeepsValues(relation, command) ? RetypingKind::kSameValues : RetypingKind::kOtherValues;
  });
}

absl::StatusOr<Retyping*> MakeRoomForRetyping(const Node* node) {
  if (!IsA(node, AlterTableStmt)) return nullptr;
  const auto* const statement = reinterpret_cast<const AlterTableStmt*>(node);
  const std::vector<std::string> names = AlteredNames(statement);
  if (names.empty()) return nullptr;
  TVIEWS_ASSIGN_OR_RETURN(const Oid relation, pg::CallFor([&] {
                            return RangeVarGetRelid(statement->relation, NoLock, true);
                          }));
  if (relation == InvalidOid) return nullptr;
  TVIEWS_ASSIGN_OR_RETURN(Retyping* const retyping, pg::CallFor([] {
                            return static_cast<Retyping*>(palloc0(sizeof(Retyping)));
                          }));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<AlteredColumn> columns, ReadColumns(relation, names));
  retyping->column_count = columns.size();
  TVIEWS_ASSIGN_OR_RETURN(retyping->columns, Copy(columns));
  TVIEWS_RETURN_IF_ERROR(SaveViews(relation, names, retyping));
  return retyping;
}

absl::StatusOr<bool> FinishRetyping(Retyping* retyping) {
  if (retyping == nullptr) return false;
  Changes changes;
  bool rows_differ = false;
  for (std::size_t i = 0; i < retyping->column_count; ++i) {
    TVIEWS_RETURN_IF_ERROR(CompareColumn(retyping->columns[i], &changes, &rows_differ));
  }
  TVIEWS_RETURN_IF_ERROR(Finish(retyping, std::move(changes)).Run());
  return rows_differ;
}

}  // namespace tviews::backend
