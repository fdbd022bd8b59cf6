#include <cstring>
#include <optional>

#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/boundary/user_code.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/shmem/cache_stats.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/pg/tables/outbox.h"
#include "shared/pg/tables/relation_watch.h"
#include "shared/status_macros.h"
#include "worker/batch/adoption.h"
#include "worker/batch/applier.h"
#include "worker/batch/batch_clock.h"
#include "worker/batch/batch_watch.h"
#include "worker/batch/behind.h"
#include "worker/batch/online_fills.h"
#include "worker/batch/pinned_settings.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <libpq/pqsignal.h>
#include <miscadmin.h>
#include <postmaster/bgworker.h>
#include <postmaster/interrupt.h>
#include <storage/ipc.h>
#include <tcop/tcopprot.h>
#include <utils/guc.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

TVIEWS_EXPORT void tviews_applier_main(Datum database);

namespace tviews::worker {
namespace {

pg::DatabaseSlot* my_slot = nullptr;

// A definition can end the process that refreshes it. By accident it happens once.
void NoteCulprit(pg::Culprit* culprit, RelationId tview) {
  if (tview == 0) return;
  if (culprit->tview.Exchange(tview) != tview) culprit->ends.Store(0);
  culprit->ends.Add(1);
}

void OnExit(int code, Datum) {
  if (my_slot != nullptr) {
    NoteCulprit(&my_slot->culprit, BatchWatch::Current());
    pg::DetachApplier(my_slot);
  } else if (code != 0) {
    pg::VisitEveryDatabase();  // what waits here, nobody has seen yet
  }
  my_slot = nullptr;
}

absl::StatusOr<bool> HasPreparedTransactions() {
  bool any = false;
  TVIEWS_RETURN_IF_ERROR(pg::RunTransaction([&]() -> absl::Status {
    TVIEWS_RETURN_IF_ERROR(pg::Call([] { PushActiveSnapshot(GetTransactionSnapshot()); }));
    TVIEWS_ASSIGN_OR_RETURN(
        const pg::SqlResult result,
        pg::ExecuteSql("SELECT 1 FROM pg_catalog.pg_prepared_xact() p JOIN pg_catalog.pg_database d"
                       " ON d.oid = p.dbid WHERE d.datname = current_database() LIMIT 1",
                       {}, pg::SqlSnapshot::kActive));
    any = !result.rows.empty();
    return pg::Call([] { PopActiveSnapshot(); });
  }));
  return any;
}

// True if something waits here that only an applier with a slot can do. Prepared transactions
// first: one that ends before the next line is in the outbox then; the other way round, it would be
// in neither.
absl::StatusOr<bool> OutboxHasWork() {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_prepared, HasPreparedTransactions());
  if (has_prepared) return true;
  bool is_empty = true;
  bool is_behind = false;
  bool has_clock = false;
  bool has_fill = false;
  TVIEWS_RETURN_IF_ERROR(pg::RunTransaction([&]() -> absl::Status {
    TVIEWS_RETURN_IF_ERROR(pg::Call([] { PushActiveSnapshot(GetTransactionSnapshot()); }));
    TVIEWS_ASSIGN_OR_RETURN(is_empty, pg::Outbox::IsEmpty(GetActiveSnapshot()));
    TVIEWS_ASSIGN_OR_RETURN(is_behind, AnythingBehind());
    TVIEWS_ASSIGN_OR_RETURN(has_clock, AnyClock());
    TVIEWS_ASSIGN_OR_RETURN(has_fill, AnyFill());
    return pg::Call([] { PopActiveSnapshot(); });
  }));
  if (!is_empty || is_behind || has_clock || has_fill) return true;
  return NeedsAdoption();
}

// The database has no extension: a slot that it has from before goes back.
void GiveSlotBack(pg::DatabaseSlot* slot) {
  if (slot == nullptr || !pg::AttachApplier(slot)) return;
  if (!pg::ReleaseSlot(slot, std::nullopt)) pg::DetachApplier(slot);
}

absl::Status Connect(Oid database) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    before_shmem_exit(OnExit, Datum{0});
    pqsignal(SIGTERM, die);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    pg::WatchUserCode();
    PinSettings();
    SetConfigOption("application_name", "pg_tviews applier", PGC_USERSET, PGC_S_SESSION);
  }));
  pg::InitializeRelationWatch();
  return absl::OkStatus();
}

// The slot of a lane is there when its applier is started; the launcher names its place.
pg::DatabaseSlot* SlotOfLane() {
  int place = 0;
  memcpy(&place, MyBgworkerEntry->bgw_extra, sizeof(place));
  return place == 0 ? nullptr : &pg::Slots()->slots[place];
}

// The slot of the database's main lane; null where there is none, or nothing to do.
absl::StatusOr<pg::DatabaseSlot*> SlotOfDatabase(Oid database) {
  if (pg::FindSlot(database) == nullptr && pg::IsCrowded()) {
    TVIEWS_ASSIGN_OR_RETURN(const bool has_work, OutboxHasWork());
    if (!has_work) return nullptr;
  }
  pg::DatabaseSlot* const slot = pg::ClaimSlot(database);
  if (slot != nullptr) return slot;
  TVIEWS_ASSIGN_OR_RETURN(const bool has_work, OutboxHasWork());
  if (has_work) {
    pg::AskForRoom();
    pg::VisitEveryDatabase();
  }
  return nullptr;
}

// Exit code.
absl::StatusOr<int> Main(Oid database) {
  pg::BecomeWorker();
  pg::cache_stats::SetProcess(pg::Process::kApplier);
  TVIEWS_RETURN_IF_ERROR(Connect(database));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_here, ExtensionIsHere());
  pg::DatabaseSlot* slot = SlotOfLane();
  if (!is_here) {
    GiveSlotBack(slot != nullptr ? slot : pg::FindSlot(database));
    return 0;
  }
  if (slot == nullptr) {
    TVIEWS_ASSIGN_OR_RETURN(slot, SlotOfDatabase(database));
  }
  if (slot == nullptr || !pg::AttachApplier(slot)) return 0;
  my_slot = slot;
  TVIEWS_RETURN_IF_ERROR(pg::Call([database, slot] {
    InstallBatchWatch(slot);
    if (pg::IsOfLane(slot)) {
      elog(LOG, "pg_tviews applier of lane %s started for database %u", slot->lane, database);
    } else {
      elog(LOG, "pg_tviews applier started for database %u", database);
    }
  }));
  Applier applier(slot);
  TVIEWS_ASSIGN_OR_RETURN(const Departure departure, applier.Loop());
  if (departure == Departure::kSlotReleased) my_slot = nullptr;
  return 0;
}

}  // namespace

}  // namespace tviews::worker

void tviews_applier_main(Datum database) {
  const int code = tviews::pg::Enter<int>(
      [database] { return tviews::worker::Main(DatumGetObjectId(database)); });
  proc_exit(code);
}
