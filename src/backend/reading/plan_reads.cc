#include "backend/reading/plan_reads.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <access/transam.h>
#include <access/xact.h>
#include <catalog/pg_language.h>
#include <catalog/pg_proc.h>
#include <nodes/parsenodes.h>
#include <nodes/plannodes.h>
#include <utils/inval.h>
#include <utils/rel.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// The functions that may read TVIEWs under their caller's snapshot, by the hash values with which
// plans name the functions they call.
struct ReadingFunctions {
  bool is_current = false;
  absl::flat_hash_set<std::uint32_t> hashes;
};

ReadingFunctions& CachedFunctions() {
  static NoDestructor<ReadingFunctions> functions;
  return *functions;
}

void OnFunctionChange(Datum, int, uint32) {
  pg::EnterQuietly([] { CachedFunctions().is_current = false; });
}

bool MayRead(const FormData_pg_proc* function) {
  return function->oid >= FirstUnpinnedObjectId && function->provolatile != PROVOLATILE_VOLATILE &&
         function->prolang != INTERNALlanguageId && function->prolang != ClanguageId;
}

// The hash values, in memory of the current context.
List* HashesOfReadingFunctions() {
  List* hashes = NIL;
  Relation const table = table_open(ProcedureRelationId, AccessShareLock);
  SysScanDesc const scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
  for (HeapTuple row = systable_getnext(scan); HeapTupleIsValid(row);
       row = systable_getnext(scan)) {
    const auto* function = reinterpret_cast<const FormData_pg_proc*>(GETSTRUCT(row));
    if (!MayRead(function)) continue;
    const uint32 hash = GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(function->oid));
    hashes = lappend_oid(hashes, hash);
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return hashes;
}

absl::Status RefreshFunctions() {
  ReadingFunctions& functions = CachedFunctions();
  if (functions.is_current) return absl::OkStatus();
  functions.is_current = true;  // an invalidation that arrives while reading takes it back
  absl::StatusOr<List*> hashes = pg::CallFor(HashesOfReadingFunctions);
  if (!hashes.ok()) {
    functions.is_current = false;
    return hashes.status();
  }
  functions.hashes.clear();
  for (int i = 0; i < list_length(*hashes); ++i) functions.hashes.insert(list_nth_oid(*hashes, i));
  return pg::Call([&] { list_free(*hashes); });
}

absl::StatusOr<bool> CallsReadingFunction(const PlannedStmt* plan) {
  bool has_tviews = false;
  for (int i = 0; i < list_length(plan->invalItems); ++i) {
    const auto* item = static_cast<const PlanInvalItem*>(list_nth(plan->invalItems, i));
    if (item->cacheId != PROCOID) continue;
    if (!has_tviews) {
      TVIEWS_ASSIGN_OR_RETURN(has_tviews, pg::HasTviews());
      if (!has_tviews) return false;
      TVIEWS_RETURN_IF_ERROR(RefreshFunctions());
    }
    if (CachedFunctions().hashes.contains(item->hashValue)) return true;
  }
  return false;
}

}  // namespace

void InitializePlanReads() { CacheRegisterSyscacheCallback(PROCOID, OnFunctionChange, Datum{0}); }

absl::Status AddRelation(RelationId relation, ReadTviews* reads) {
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::TviewState> state, pg::StateOfTview(relation));
  if (!state.has_value()) return absl::OkStatus();
  reads->concerned.tviews.push_back(relation);
  reads->any_unadopted = reads->any_unadopted || !state->is_adopted;
  // Its creator sees what it has made.
  if (state->creator != U64FromFullTransactionId(GetTopFullTransactionIdIfAny())) {
    reads->creator = std::max(reads->creator, state->creator);
  }
  return absl::OkStatus();
}

absl::StatusOr<ReadTviews> TviewsReadBy(const PlannedStmt* plan) {
  ReadTviews reads;
  // Not relationOids: that has the relations of regclass constants too.
  for (int i = 0; i < list_length(plan->rtable); ++i) {
    const auto* entry = static_cast<const RangeTblEntry*>(list_nth(plan->rtable, i));
    // Queries of catalogs and of nothing never look at the metadata, which DROP EXTENSION may hold.
    if (entry->rtekind != RTE_RELATION || entry->relid < FirstNormalObjectId) continue;
    TVIEWS_RETURN_IF_ERROR(AddRelation(entry->relid, &reads));
  }
  TVIEWS_ASSIGN_OR_RETURN(reads.concerned.all, CallsReadingFunction(plan));
  return reads;
}

}  // namespace tviews::backend
