#include "backend/ddl/source_locks.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "absl/functional/function_ref.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/server/inheritors.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/table.h>
#include <catalog/catalog.h>
#include <catalog/dependency.h>
#include <catalog/pg_class.h>
#include <commands/extension.h>
#include <miscadmin.h>
#include <storage/lmgr.h>
#include <storage/proc.h>
#include <utils/acl.h>
#include <utils/guc.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/rls.h>
#include <utils/syscache.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr int kPatientRounds = 200;

struct RelationFacts {
  bool exists = false;
  char kind = 0;
  char persistence = 0;
  bool is_catalog = false;
  bool is_ours = false;
  bool may_read = false;
  bool may_trigger = false;
  bool has_row_security = false;
};

absl::StatusOr<RelationFacts> ReadFacts(RelationId relation) {
  return pg::CallFor([&] {
    RelationFacts facts;
    HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(row)) return facts;
    Form_pg_class form = reinterpret_cast<Form_pg_class>(GETSTRUCT(row));
    facts.exists = true;
    facts.kind = form->relkind;
    facts.persistence = form->relpersistence;
    ReleaseSysCache(row);
    facts.is_catalog = IsCatalogRelationOid(relation);
    facts.is_ours =
        getExtensionOfObject(RelationRelationId, relation) == get_extension_oid("pg_tviews", false);
    facts.may_read = pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
    facts.may_trigger = pg_class_aclcheck(relation, GetUserId(), ACL_TRIGGER) == ACLCHECK_OK;
    facts.has_row_security = check_enable_rls(relation, GetUserId(), true) == RLS_ENABLED;
    return facts;
  });
}

absl::Status Refuse(const std::string& name, const std::string& reason, const std::string& hint) {
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "relation " + name + " cannot be the source of a TVIEW",
                        .detail = reason,
                        .hint = hint,
                        .sqlstate = "42809"});
}

// The kind of relation; null if it may be a source.
const char* RefusedKind(const RelationFacts& facts) {
  if (facts.is_ours) return "It belongs to the extension pg_tviews.";
  if (facts.is_catalog) return "It is a system catalog.";
  switch (facts.kind) {
    case RELKIND_RELATION:
    case RELKIND_PARTITIONED_TABLE:
    case RELKIND_MATVIEW:
    case RELKIND_FOREIGN_TABLE:
      return nullptr;
    case RELKIND_SEQUENCE:
      return "It is a sequence.";
    default:
      return "It is not a table.";
  }
}

absl::Status CheckSource(RelationId relation, bool is_new) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationFacts facts, ReadFacts(relation));
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(relation));
  if (const char* reason = RefusedKind(facts); reason != nullptr) {
    return Refuse(name, reason,
                  "Use tables, materialized views and TVIEWs, directly or through views.");
  }
  if (facts.persistence == RELPERSISTENCE_TEMP) {
    return Refuse(name, "It is a temporary table.", "Use a permanent table.");
  }
  if (facts.persistence == RELPERSISTENCE_UNLOGGED) {
    return Refuse(name, "It is unlogged: crash recovery empties it without a trace.",
                  "Run ALTER TABLE " + name + " SET LOGGED.");
  }
  // Materialized views have no triggers.
  const bool may_follow = facts.may_trigger || facts.kind == RELKIND_MATVIEW;
  if (is_new && (!facts.may_read || !may_follow)) {
    const std::string missing = facts.may_read ? "TRIGGER" : "SELECT";
    return pg::MakeError(absl::StatusCode::kPermissionDenied,
                         {.message = "permission denied for table " + name,
                          .detail = "Creating a TVIEW needs SELECT and TRIGGER on each source; " +
                                    missing + " is missing."});
  }
  if (facts.has_row_security) {
    return Refuse(name, "Row-level security policies hide some of its rows from the TVIEW's owner.",
                  "Create the TVIEW as a role that policies do not apply to.");
  }
  return absl::OkStatus();
}

// `sources` and everything that inherits from them, in the order of ids.
absl::StatusOr<std::set<RelationId>> WithInheritors(const std::vector<RelationId>& sources) {
  std::set<RelationId> all;
  for (RelationId source : sources) {
    List* inheritors = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { inheritors = pg::FindInheritors(source, NoLock); }));
    for (int i = 0; i < list_length(inheritors); ++i) all.insert(list_nth_oid(inheritors, i));
  }
  return all;
}

absl::Status CheckNotInUse(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_in_use, pg::CallFor([&] {
                            Relation table = table_open(relation, NoLock);
                            const bool used = table->rd_refcnt > 1;
                            table_close(table, NoLock);
                            return used;
                          }));
  if (!is_in_use) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(relation));
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "cannot create a TVIEW over " + name +
                                   " because it is being used by active queries in this session",
                        .sqlstate = "55006"});
}

// The mode that each relation is to be locked in.
using LockModes = std::map<RelationId, LOCKMODE>;

absl::StatusOr<LockModes> ModesOf(const std::vector<RelationId>& sources,
                                  const std::vector<RelationId>& exclusive) {
  LockModes modes;
  TVIEWS_ASSIGN_OR_RETURN(const std::set<RelationId> weak, WithInheritors(sources));
  for (const RelationId relation : weak) modes[relation] = ShareRowExclusiveLock;
  TVIEWS_ASSIGN_OR_RETURN(const std::set<RelationId> strong, WithInheritors(exclusive));
  for (const RelationId relation : strong) modes[relation] = AccessExclusiveLock;
  return modes;
}

absl::Status LockAll(const std::vector<RelationId>& sources,
                     const std::vector<RelationId>& exclusive,
                     absl::FunctionRef<absl::Status(RelationId, LOCKMODE)> lock) {
  LockModes locked;
  // Again while waiting for a lock has let the tree grow.
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(const LockModes all, ModesOf(sources, exclusive));
    if (all == locked) return absl::OkStatus();
    for (const auto& [relation, mode] : all) {
      const auto held = locked.find(relation);
      if (held != locked.end() && held->second == mode) continue;
      TVIEWS_RETURN_IF_ERROR(lock(relation, mode));
    }
    locked = all;
  }
}

absl::Status CheckNoneInUse(const std::vector<RelationId>& sources) {
  TVIEWS_ASSIGN_OR_RETURN(const std::set<RelationId> all, WithInheritors(sources));
  for (const RelationId relation : all) TVIEWS_RETURN_IF_ERROR(CheckNotInUse(relation));
  return absl::OkStatus();
}

absl::Status LockOne(RelationId relation, LOCKMODE mode) {
  return pg::Call([=] { LockRelationOid(relation, mode); });
}

// How long a round waits, in all, while it holds locks: longer each time, then from the beginning,
// but too short for a writer that waits for them to look for deadlocks.
int PatienceMs(int round) { return std::max(1, std::min(1 << (round % 10), DeadlockTimeout / 2)); }

struct BusyRelation {
  RelationId relation = 0;
  LOCKMODE mode = NoLock;
};

class PatientRound {
 public:
  // `busy`: what an earlier round has met. It is waited for first, for as long as it takes.
  PatientRound(int milliseconds, BusyRelation* busy)
      : patience_(milliseconds), users_timeout_(LockTimeout), busy_(busy) {}

  // To be rolled back when it fails.
  absl::Status Lock(const std::vector<RelationId>& sources,
                    const std::vector<RelationId>& exclusive) {
    if (busy_->relation != 0) TVIEWS_RETURN_IF_ERROR(LockOne(busy_->relation, busy_->mode));
    int nest = 0;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      nest = NewGUCNestLevel();
      began_ = GetCurrentTimestamp();
      SetTimeout("deadlock_timeout", 1);
    }));
    is_impatient_ = true;
    TVIEWS_RETURN_IF_ERROR(LockAll(sources, exclusive, [this](RelationId relation, LOCKMODE mode) {
      *busy_ = {relation, mode};
      return pg::Call([=, this] {
        SetTimeout("lock_timeout", Rest());
        LockRelationOid(relation, mode);
      });
    }));
    return pg::Call([nest] { AtEOXact_GUC(true, nest); });
  }

  // True if a next round may succeed: somebody did not give way in time, or waits for us.
  bool IsBusy(const absl::Status& status) const {
    return is_impatient_ && (pg::HasSqlState(status, "55P03") || pg::HasSqlState(status, "40P01"));
  }

 private:
  int Rest() const {
    const auto spent = static_cast<int>((GetCurrentTimestamp() - began_) / 1000);
    const int rest = std::max(1, patience_ - spent);
    return users_timeout_ > 0 ? std::min(rest, users_timeout_) : rest;
  }

  static void SetTimeout(const char* name, int milliseconds) {
    char text[16];
    pg_snprintf(text, sizeof(text), "%d", milliseconds);
    set_config_option(name, text, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  }

  const int patience_;
  const int users_timeout_;
  BusyRelation* const busy_;
  TimestampTz began_ = 0;
  bool is_impatient_ = false;
};

}  // namespace

absl::Status CheckSources(const std::vector<RelationId>& sources,
                          const std::vector<RelationId>& former) {
  TVIEWS_ASSIGN_OR_RETURN(const std::set<RelationId> old, WithInheritors(former));
  TVIEWS_ASSIGN_OR_RETURN(const std::set<RelationId> all, WithInheritors(sources));
  for (RelationId relation : all) {
    TVIEWS_RETURN_IF_ERROR(CheckSource(relation, !old.contains(relation)));
  }
  return absl::OkStatus();
}

absl::Status CheckRowSecurityBehind(const std::vector<RelationId>& views) {
  for (const RelationId view : views) {
    TVIEWS_ASSIGN_OR_RETURN(
        const pg::SqlResult found,
        pg::ExecuteSqlLatest(
            "SELECT DISTINCT t.oid, v.relowner FROM pg_catalog.pg_class v"
            " JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid"
            " JOIN pg_catalog.pg_depend d ON d.classid = "
            "'pg_catalog.pg_rewrite'::pg_catalog.regclass"
            " AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"
            " JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.relrowsecurity"
            " WHERE v.oid = $1::pg_catalog.oid AND NOT EXISTS (SELECT FROM"
            " pg_catalog.pg_options_to_table(v.reloptions) AS o WHERE o.option_name ="
            " 'security_invoker' AND o.option_value::pg_catalog.bool) ORDER BY 1",
            {std::to_string(view)}));
    for (const pg::SqlRow& row : found.rows) {
      pg::RowReader column(row);
      const RelationId table = column.Oid();
      const RoleId owner = column.Oid();
      TVIEWS_ASSIGN_OR_RETURN(const bool hides_rows, pg::CallFor([=] {
                                return check_enable_rls(table, owner, true) == RLS_ENABLED;
                              }));
      if (!hides_rows) continue;
      TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(table));
      TVIEWS_ASSIGN_OR_RETURN(const std::string view_name, RelationDisplayName(view));
      return Refuse(name,
                    "Row-level security policies hide some of its rows from the owner of view " +
                        view_name + ", with whose rights it is read.",
                    "Give the view to a role that policies do not apply to.");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RelationId>> ForeignTables(const std::vector<RelationId>& sources) {
  TVIEWS_ASSIGN_OR_RETURN(const std::set<RelationId> all, WithInheritors(sources));
  std::vector<RelationId> foreign;
  for (RelationId relation : all) {
    TVIEWS_ASSIGN_OR_RETURN(const char kind,
                            pg::CallFor([relation] { return get_rel_relkind(relation); }));
    if (kind == RELKIND_FOREIGN_TABLE) foreign.push_back(relation);
  }
  return foreign;
}

absl::Status LockTrees(const std::vector<RelationId>& sources,
                       const std::vector<RelationId>& exclusive) {
  BusyRelation busy;
  for (int i = 0; i < kPatientRounds; ++i) {
    PatientRound round(PatienceMs(i), &busy);
    const absl::Status status =
        pg::RunSubtransaction([&] { return round.Lock(sources, exclusive); });
    if (!round.IsBusy(status)) return status;
  }
  return LockAll(sources, exclusive, LockOne);
}

absl::Status LockSources(const std::vector<RelationId>& sources,
                         const std::vector<RelationId>& former) {
  TVIEWS_RETURN_IF_ERROR(LockTrees(sources, former));
  return CheckNoneInUse(sources);
}

absl::Status LockSourcesNoWait(const std::vector<RelationId>& sources,
                               const std::vector<RelationId>& former) {
  TVIEWS_RETURN_IF_ERROR(
      LockAll(sources, former, [](RelationId relation, LOCKMODE mode) -> absl::Status {
        TVIEWS_ASSIGN_OR_RETURN(const bool is_locked, pg::CallFor([=] {
                                  return ConditionalLockRelationOid(relation, mode);
                                }));
        if (is_locked) return absl::OkStatus();
        return pg::MakeError(absl::StatusCode::kUnavailable,
                             {.message = "a source is locked", .sqlstate = "55P03"});
      }));
  return CheckNoneInUse(sources);
}

}  // namespace tviews::backend
