#include "backend/ddl/own_tables.h"

#include <string>
#include <vector>

#include "backend/tview/uses.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <commands/extension.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <storage/lockdefs.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

absl::StatusOr<RelationId> Find(const RangeVar* name) {
  if (name == nullptr) return RelationId{0};
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, pg::CallFor([name]() -> RelationId {
                            return RangeVarGetRelid(name, NoLock, true);
                          }));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_own, pg::IsCatalogTable(relation));
  return is_own ? relation : RelationId{0};
}

absl::Status RefuseAttached(const RangeVar* name, const char* what) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Find(name));
  if (relation == 0) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = std::string(what) + " \"" + name->relname +
                                   "\", a table of the extension pg_tviews",
                        .sqlstate = "42809"});
}

// LOCK TABLE of a view locks what the view reads as the view's owner may.
absl::Status CheckUse(const RangeVar* name) {
  TVIEWS_ASSIGN_OR_RETURN(const Oid32 schema, pg::ExtensionSchema());
  if (schema == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, pg::CallFor([name]() -> RelationId {
                            return RangeVarGetRelid(name, NoLock, true);
                          }));
  TVIEWS_RETURN_IF_ERROR(CheckMayWriteOwnTable(relation));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> below, ReadThrough(relation));
  for (const RelationId read : below) TVIEWS_RETURN_IF_ERROR(CheckMayWriteOwnTable(read));
  return absl::OkStatus();
}

absl::Status CheckAll(const List* names) {
  for (int i = 0; i < list_length(names); ++i) {
    TVIEWS_RETURN_IF_ERROR(CheckUse(static_cast<RangeVar*>(list_nth(names, i))));
  }
  return absl::OkStatus();
}

// A clause of CREATE or ALTER TABLE: a column with its constraints, or a constraint.
absl::Status CheckReference(const Node* clause) {
  if (clause == nullptr) return absl::OkStatus();
  if (IsA(clause, Constraint)) {
    return RefuseAttached(reinterpret_cast<const Constraint*>(clause)->pktable,
                          "a foreign key cannot refer to");
  }
  if (!IsA(clause, ColumnDef)) return absl::OkStatus();
  const List* const constraints = reinterpret_cast<const ColumnDef*>(clause)->constraints;
  for (int i = 0; i < list_length(constraints); ++i) {
    TVIEWS_RETURN_IF_ERROR(CheckReference(static_cast<Node*>(list_nth(constraints, i))));
  }
  return absl::OkStatus();
}

absl::Status CheckReferences(const List* clauses) {
  for (int i = 0; i < list_length(clauses); ++i) {
    const Node* clause = static_cast<Node*>(list_nth(clauses, i));
    if (IsA(clause, AlterTableCmd)) clause = reinterpret_cast<const AlterTableCmd*>(clause)->def;
    TVIEWS_RETURN_IF_ERROR(CheckReference(clause));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckOwnTables(const Node* statement) {
  if (creating_extension) return absl::OkStatus();
  switch (nodeTag(statement)) {
    case T_CreateTrigStmt: {
      const auto* const create = reinterpret_cast<const CreateTrigStmt*>(statement);
      TVIEWS_RETURN_IF_ERROR(RefuseAttached(create->constrrel, "a trigger cannot refer to"));
      return RefuseAttached(create->relation, "cannot create a trigger on");
    }
    case T_RuleStmt:
      return RefuseAttached(reinterpret_cast<const RuleStmt*>(statement)->relation,
                            "cannot create a rule on");
    case T_CreatePolicyStmt:
      return RefuseAttached(reinterpret_cast<const CreatePolicyStmt*>(statement)->table,
                            "cannot create a policy on");
    case T_CreateStmt:
    case T_CreateForeignTableStmt:
      return CheckReferences(reinterpret_cast<const CreateStmt*>(statement)->tableElts);
    case T_AlterTableStmt:
      return CheckReferences(reinterpret_cast<const AlterTableStmt*>(statement)->cmds);
    case T_TruncateStmt:
      return CheckAll(reinterpret_cast<const TruncateStmt*>(statement)->relations);
    case T_LockStmt: {
      const auto* const lock = reinterpret_cast<const LockStmt*>(statement);
      return lock->mode == AccessShareLock ? absl::OkStatus() : CheckAll(lock->relations);
    }
    default:
      return absl::OkStatus();
  }
}

absl::Status CheckMayWriteOwnTable(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_own, pg::IsCatalogTable(relation));
  if (!is_own) return absl::OkStatus();
  const char* name = nullptr;
  bool is_superuser = false;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    is_superuser = superuser();
    name = get_rel_name(relation);
  }));
  if (is_superuser) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kPermissionDenied,
      {.message = "permission denied for table " + std::string(name != nullptr ? name : ""),
       .detail = "Only the extension pg_tviews and superusers write it."});
}

}  // namespace tviews::backend
