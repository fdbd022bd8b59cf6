#include "worker/launcher/launcher.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/common/start_worker.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/wait_events.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/record_ring.h"
#include "shared/status_macros.h"
#include "worker/core/launch_plan.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/heapam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <access/tableam.h>
#include <catalog/pg_database.h>
#include <libpq/pqsignal.h>
#include <miscadmin.h>
#include <pgstat.h>
#include <postmaster/bgworker.h>
#include <postmaster/interrupt.h>
#include <storage/ipc.h>
#include <storage/latch.h>
#include <storage/proc.h>
#include <tcop/tcopprot.h>
#include <utils/guc.h>
#include <utils/memutils.h>
#include <utils/snapmgr.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

TVIEWS_EXPORT void tviews_launcher_main(Datum argument);

namespace tviews::worker {
namespace {

constexpr int kPlaceShift = 32;

Launchee LauncheeOf(const pg::DatabaseSlot& slot) {
  const Launchee place =
      pg::IsOfLane(&slot) ? static_cast<Launchee>(&slot - pg::Slots()->slots) : Launchee{0};
  return slot.database.Load() | (place << kPlaceShift);
}

DatabaseId DatabaseOf(Launchee launchee) { return static_cast<DatabaseId>(launchee); }
int PlaceOf(Launchee launchee) { return static_cast<int>(launchee >> kPlaceShift); }

// Null where it has none.
const pg::DatabaseSlot* SlotOf(Launchee launchee) {
  const int place = PlaceOf(launchee);
  if (place == 0) return pg::FindSlot(DatabaseOf(launchee));
  const pg::DatabaseSlot* const slot = &pg::Slots()->slots[place];
  return slot->database.Load() == DatabaseOf(launchee) ? slot : nullptr;
}

constexpr Timestamp kMicroseconds = 1000000;
constexpr Timestamp kVisitInterval = 60 * kMicroseconds;
constexpr Timestamp kMillisecond = 1000;
constexpr Timestamp kLongestNap = 5 * kMicroseconds;
constexpr int kRestartSeconds = 5;

class Launcher {
 public:
  absl::Status Loop();

 private:
  absl::Status AddEveryDatabase();
  absl::Status AddNewDatabases();
  int CountRunning() const;
  bool IsVisiting() const;
  void CollectWishes();
  void ReapEnded();
  absl::Status StartWanted();
  absl::Status Start(Launchee launchee);
  Timestamp NextAt(Timestamp now) const;

  LaunchPlan plan_;
  std::map<Launchee, BackgroundWorkerHandle*> handles_;  // of those that run
  std::vector<DatabaseId> databases_;                    // as of the last look
  Timestamp looked_at_ = 0;
  std::uint64_t unslotted_seen_ = 0;
  std::uint64_t visits_seen_ = 0;
  std::uint64_t new_visits_seen_ = 0;
  std::uint64_t freed_seen_ = 0;
  bool log_exhausted_ = true;  // one line per episode
};

void OnExit(int, Datum) {
  pg::Slots()->launcher.Store(-1);
  pg::Slots()->launcher_pid.Store(0);
}

// The databases that a worker can connect to.
absl::StatusOr<std::vector<DatabaseId>> ConnectableDatabases() {
  List* found = NIL;
  MemoryContext const memory = CurrentMemoryContext;
  TVIEWS_RETURN_IF_ERROR(pg::RunTransaction([&] {
    return pg::Call([&] {
      PushActiveSnapshot(GetTransactionSnapshot());
      Relation const relation = table_open(DatabaseRelationId, AccessShareLock);
      TableScanDesc const scan = table_beginscan_catalog(relation, 0, nullptr);
      HeapTuple tuple;
      while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection))) {
        const Form_pg_database form = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
        if (!form->datallowconn || form->datconnlimit == -2) continue;
        MemoryContext const inner = MemoryContextSwitchTo(memory);
        found = lappend_oid(found, form->oid);
        MemoryContextSwitchTo(inner);
      }
      table_endscan(scan);
      table_close(relation, AccessShareLock);
      PopActiveSnapshot();
    });
  }));
  std::vector<DatabaseId> databases;
  ListCell* cell;
  foreach (cell, found) databases.push_back(lfirst_oid(cell));
  list_free(found);
  return databases;
}

absl::Status Launcher::AddEveryDatabase() {
  databases_.clear();
  return AddNewDatabases();
}

// A copied database brings the outbox of its template along (ATTACKS A22).
absl::Status Launcher::AddNewDatabases() {
  TVIEWS_ASSIGN_OR_RETURN(std::vector<DatabaseId> databases, ConnectableDatabases());
  for (const DatabaseId database : databases) {
    if (std::find(databases_.begin(), databases_.end(), database) == databases_.end()) {
      plan_.Want(database);
    }
  }
  databases_ = std::move(databases);
  looked_at_ = GetCurrentTimestamp();
  return absl::OkStatus();
}

// A slot with work and without an applier asks for one, whether or not somebody set its flag.
void Launcher::CollectWishes() {
  pg::SlotTable* const table = pg::Slots();
  for (int i = 0; i < table->all(); ++i) {
    pg::DatabaseSlot& slot = table->slots[i];
    if (slot.database.Load() == 0 || slot.applier.Load() >= 0 || pg::IsParked(&slot)) continue;
    bool has_work = slot.needs_applier.Exchange(0) != 0 ||
                    slot.counters.requested.Load() > slot.counters.served.Load() ||
                    slot.counters.overflow.started.Load() != slot.counters.clean.Load();
    if (!has_work) {
      pg::ReadHolder holder(slot.queue_lock);
      has_work = !RecordRing(slot.ring).empty();
    }
    if (has_work) plan_.Want(LauncheeOf(slot));
  }
}

void Launcher::ReapEnded() {
  const Timestamp now = GetCurrentTimestamp();
  for (auto entry = handles_.begin(); entry != handles_.end();) {
    const auto [launchee, handle] = *entry;
    pid_t pid = 0;
    if (GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED) {
      ++entry;
      continue;
    }
    pfree(handle);
    entry = handles_.erase(entry);
    const pg::DatabaseSlot* const slot = SlotOf(launchee);
    plan_.NoteEnded(launchee, slot == nullptr ? 0 : slot->activity.last_batch_at.Load(), now);
  }
  plan_.Forget(now);
}

// Appliers that an earlier launcher has started count too.
int Launcher::CountRunning() const {
  int running = plan_.running();
  const pg::SlotTable* const table = pg::Slots();
  for (int i = 0; i < table->all(); ++i) {
    if (table->slots[i].applier.Load() < 0) continue;
    if (!plan_.IsRunning(LauncheeOf(table->slots[i]))) ++running;
  }
  return running;
}

// Somebody has just been started: it finds nothing to do and ends, or becomes an applier.
bool Launcher::IsVisiting() const {
  return plan_.IsVisiting(GetCurrentTimestamp(), [](Launchee launchee) {
    const pg::DatabaseSlot* const slot = SlotOf(launchee);
    return slot != nullptr && slot->applier.Load() >= 0;
  });
}

absl::Status Launcher::StartWanted() {
  if (!pg::settings::enabled) return absl::OkStatus();
  int running = CountRunning();
  while (const std::optional<Launchee> next = plan_.Next(GetCurrentTimestamp())) {
    if (running >= pg::settings::max_workers) {
      if (!IsVisiting()) pg::AskForRoom();
      break;
    }
    TVIEWS_RETURN_IF_ERROR(Start(*next));
    if (plan_.IsRunning(*next)) ++running;
  }
  return absl::OkStatus();
}

absl::Status Launcher::Start(Launchee launchee) {
  BackgroundWorkerHandle* handle = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    handle =
        pg::StartWorker({.name = PlaceOf(launchee) == 0 ? "pg_tviews applier" : "pg_tviews lane",
                         .function = "tviews_applier_main",
                         .argument = ObjectIdGetDatum(DatabaseOf(launchee)),
                         .number = PlaceOf(launchee)});
    if (handle == nullptr && log_exhausted_) {
      ereport(LOG, (errmsg("pg_tviews cannot start an applier: no background worker is free"),
                    errhint("Raise max_worker_processes.")));
    }
  }));
  log_exhausted_ = handle != nullptr;
  const Timestamp now = GetCurrentTimestamp();
  if (handle == nullptr) {
    pg::Slots()->launches_failed.Add(1);
    plan_.NoteNoWorker(launchee, now);
    return absl::OkStatus();
  }
  handles_.emplace(launchee, handle);
  plan_.NoteStarted(launchee, now);
  return absl::OkStatus();
}

// When there may be something to do, if nothing happens.
Timestamp Launcher::NextAt(Timestamp now) const {
  const Timestamp next = plan_.NextAt(now, kLongestNap);
  const Timestamp clock_due = pg::Slots()->clock_due.Load();
  return clock_due == 0 ? next : std::max(now, std::min(next, clock_due + kMillisecond));
}

absl::Status Launcher::Loop() {
  TVIEWS_RETURN_IF_ERROR(AddEveryDatabase());
  for (;;) {
    TVIEWS_RETURN_IF_ERROR(pg::Call([] {
      pg::AcceptInterrupts();
      if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
      }
    }));
    const std::uint64_t unslotted = pg::Slots()->unslotted.finished.Load();
    const std::uint64_t visits = pg::Slots()->visits.Load();
    const std::uint64_t new_visits = pg::Slots()->new_visits.Load();
    // Which database it is, is not known; the others find nothing to do.
    const bool is_clock_due = pg::TakeClockDue(GetCurrentTimestamp());
    if (unslotted != unslotted_seen_ || visits != visits_seen_ || is_clock_due) {
      TVIEWS_RETURN_IF_ERROR(AddEveryDatabase());
    } else if (new_visits != new_visits_seen_ ||
               GetCurrentTimestamp() - looked_at_ > kVisitInterval) {
      TVIEWS_RETURN_IF_ERROR(AddNewDatabases());
    }
    const std::uint64_t freed = pg::Slots()->freed.Load();
    if (freed != freed_seen_) plan_.EndWaits();
    freed_seen_ = freed;
    unslotted_seen_ = unslotted;
    visits_seen_ = visits;
    new_visits_seen_ = new_visits;
    CollectWishes();
    ReapEnded();
    TVIEWS_RETURN_IF_ERROR(StartWanted());
    const Timestamp now = GetCurrentTimestamp();
    const long nap = static_cast<long>((NextAt(now) - now) / 1000);
    TVIEWS_RETURN_IF_ERROR(pg::Call([nap] {
      WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, nap,
                pg::WaitEvent(pg::Wait::kLauncherMain));
      ResetLatch(MyLatch);
      pg::AcceptInterrupts();
    }));
  }
}

absl::Status Main() {
  TVIEWS_RETURN_IF_ERROR(pg::Call([] {
    before_shmem_exit(OnExit, Datum{0});
    pqsignal(SIGTERM, die);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    SetConfigOption("application_name", "pg_tviews launcher", PGC_USERSET, PGC_S_SESSION);
    pg::Slots()->launcher_pid.Store(MyProcPid);
    pg::Slots()->launcher.Store(pg::compat::NumberOfMyProc());
    elog(LOG, "pg_tviews launcher started");
  }));
  return Launcher().Loop();
}

}  // namespace

void RegisterLauncher() {
  BackgroundWorker worker;
  pg::Describe({.name = "pg_tviews launcher", .function = "tviews_launcher_main"}, &worker);
  worker.bgw_restart_time = kRestartSeconds;
  RegisterBackgroundWorker(&worker);
}

}  // namespace tviews::worker

void tviews_launcher_main(Datum) {
  tviews::pg::Enter<bool>([]() -> absl::StatusOr<bool> {
    TVIEWS_RETURN_IF_ERROR(tviews::worker::Main());
    return true;
  });
}
