#include "backend/reading/reader_snapshot.h"

#include <cstddef>
#include <vector>

#include "shared/no_destructor.h"
#include "shared/pg/boundary/guard.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <executor/execdesc.h>
#include <storage/predicate.h>
#include <tcop/pquery.h>
#include <utils/portal.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr int kTopLevel = 1;

SnapshotData* running = nullptr;
bool has_run_query = false;  // in this transaction

// What a subtransaction found when it began.
struct Beginning {
  SnapshotData* active = nullptr;
  SnapshotData* running = nullptr;
};

// By nesting level.
std::vector<Beginning>& Beginnings() {
  static NoDestructor<std::vector<Beginning>> beginnings;
  return *beginnings;
}

SnapshotData* ActiveOrNull() { return ActiveSnapshotSet() ? GetActiveSnapshot() : nullptr; }

void OnSubtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  pg::EnterQuietly([event] {
    const auto level = static_cast<std::size_t>(GetCurrentTransactionNestLevel());
    std::vector<Beginning>& beginnings = Beginnings();
    if (event == SUBXACT_EVENT_START_SUB) {
      // What would be too deep for the memory is replaceable for nobody.
      beginnings.resize(level);
      beginnings.push_back({.active = ActiveOrNull(), .running = running});
    } else if (event == SUBXACT_EVENT_ABORT_SUB && level < beginnings.size()) {
      running = beginnings[level].running;
    }
  });
}

void OnTransaction(XactEvent event, void*) {
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) {
    running = nullptr;
    has_run_query = false;
  }
}

bool BelongsToCurrentLevel(const SnapshotData* snapshot) {
  const int level = GetCurrentTransactionNestLevel();
  if (level == kTopLevel) return true;
  const std::vector<Beginning>& beginnings = Beginnings();
  const auto index = static_cast<std::size_t>(level);
  return index < beginnings.size() && beginnings[index].active != snapshot;
}

}  // namespace

void RegisterReaderSnapshot() {
  RegisterXactCallback(OnTransaction, nullptr);
  RegisterSubXactCallback(OnSubtransaction, nullptr);
}

SnapshotData* RunningSnapshot() { return running; }
void SetRunningSnapshot(SnapshotData* snapshot) { running = snapshot; }

bool IsReplaceable(SnapshotData* snapshot) {
  return snapshot != nullptr && snapshot != running && ActiveOrNull() == snapshot &&
         BelongsToCurrentLevel(snapshot);
}

void ReplaceActiveSnapshot() {
  Portal const portal = ActivePortal;
  // A utility command's portal remembers the snapshot that it has made active.
  const bool is_portals = portal != nullptr && portal->portalSnapshot == GetActiveSnapshot();
  PopActiveSnapshot();
  if (is_portals) {
    PushActiveSnapshotWithLevel(GetLatestSnapshot(), portal->createLevel);
    portal->portalSnapshot = GetActiveSnapshot();
  } else {
    PushActiveSnapshot(GetLatestSnapshot());
  }
}

bool IsFirstQuery() {
  return !has_run_query && GetCurrentTransactionNestLevel() == kTopLevel &&
         !TransactionIdIsValid(GetTopTransactionIdIfAny());
}

void NoteQuery() { has_run_query = true; }

bool ReplaceTransactionSnapshot(QueryDesc* query) {
  Portal const portal = ActivePortal;
  const bool is_portals = portal != nullptr && portal->portalSnapshot == GetActiveSnapshot();
  // A portal whose rows are stored registers the snapshot on its own account.
  const bool is_held = portal != nullptr && portal->holdSnapshot != nullptr;
  if (query != nullptr) {
    UnregisterSnapshot(query->snapshot);
    query->snapshot = InvalidSnapshot;
  }
  if (is_held) {
    UnregisterSnapshotFromOwner(portal->holdSnapshot, portal->resowner);
    portal->holdSnapshot = InvalidSnapshot;
  }
  PopActiveSnapshot();
  InvalidateCatalogSnapshot();
  // What is left is the transaction's own registration.
  const bool is_alone =
      !ActiveSnapshotSet() && ThereAreNoPriorRegisteredSnapshots() && !XactHasExportedSnapshots();
  if (is_alone) {
    if (IsolationIsSerializable()) ReleasePredicateLocks(false, false);
    AtEOXact_Snapshot(false, true);
  }
  Snapshot const snapshot = GetTransactionSnapshot();
  if (is_held) portal->holdSnapshot = RegisterSnapshotOnOwner(snapshot, portal->resowner);
  if (is_portals) {
    PushActiveSnapshotWithLevel(snapshot, portal->createLevel);
    portal->portalSnapshot = GetActiveSnapshot();
  } else {
    PushActiveSnapshot(snapshot);
  }
  if (query != nullptr) query->snapshot = RegisterSnapshot(GetActiveSnapshot());
  return is_alone;
}

void ReplaceSnapshot(QueryDesc* query) {
  UnregisterSnapshot(query->snapshot);
  query->snapshot = InvalidSnapshot;
  ReplaceActiveSnapshot();
  query->snapshot = RegisterSnapshot(GetActiveSnapshot());
}

}  // namespace tviews::backend
