#include "backend/ddl/retyping.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend/ddl/altered_types.h"
#include "backend/ddl/column_set.h"
#include "backend/ddl/retyped_table.h"
#include "backend/ddl/retyping_reach.h"
#include "backend/ddl/saved_views.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/facts.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/table_checks.h"
#include "backend/tview/uses.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <catalog/namespace.h>
#include <catalog/pg_class.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <storage/lmgr.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {

struct Retyping {
  AlteredColumn* columns;  // as they were; of the relation and of what inherits from it
  std::size_t column_count;
  SavedView* views;   // each after those that it reads
  char* is_released;  // each: it is made again in any case
  std::size_t view_count;
};

namespace {

// --- Before the command.

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
  ViewsInOrder order(std::move(views));
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

// A table that has lost columns counts them in another way than its view.
absl::StatusOr<std::vector<AttributeNumber>> NumbersInTable(
    RelationId view, RelationId table, const std::vector<AttributeNumber>& numbers) {
  std::vector<AttributeNumber> of_table = numbers;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    for (AttributeNumber& number : of_table) {
      number = get_attnum(table, get_attname(view, number, false));
    }
  }));
  return of_table;
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
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<AttributeNumber> of_table,
                            NumbersInTable(view.view, view.tview, numbers));
    AddAll(view.tview, of_table, &retyped);
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
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<AttributeNumber> of_table,
                            NumbersInTable(view.view, view.tview, all));
    AddAll(view.tview, of_table, &changes_.rewritten);
    return NoteTview(view.tview);
  }

  Retyping& retyping_;
  Changes changes_;
  std::vector<RelationId> restored_;
};

}  // namespace

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
  TVIEWS_ASSIGN_OR_RETURN(const bool changes_any, ChangesAnyType(relation, statement));
  if (!changes_any) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(std::vector<ViewToSave> views, FindViews(relation, names));
  ViewsInOrder order(std::move(views));
  std::vector<const ViewToSave*> sorted = order.Sort();
  for (auto view = sorted.rbegin(); view != sorted.rend(); ++view) {
    if ((*view)->tview != 0 || !(*view)->reads_altered) continue;
    const RelationId id = (*view)->view;
    TVIEWS_RETURN_IF_ERROR(pg::Call([id] { LockRelationOid(id, AccessExclusiveLock); }));
  }
  return absl::OkStatus();
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
