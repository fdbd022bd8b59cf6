// The launcher, who ends prepared transactions, vacuum, and another database.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "processes.h"

namespace tviews::simulation {

void StartProcesses(World* world) {
  const Program& program = *world->program;
  for (std::size_t i = 0; i < program.sessions.size(); ++i) {
    const int process = kFirstSession + static_cast<int>(i);
    world->Start(process, [world, process] { RunSession(world, process); });
  }
  world->Start(kLauncher, [world] { RunLauncher(world); });
  world->Start(kFinisher, [world] { RunFinisher(world); });
  if (program.has_vacuum) world->Start(kVacuum, [world] { RunVacuum(world); });
  if (program.has_lane) world->Start(kLane, [world] { RunLane(world); });
  if (program.locks != 0) world->Start(kLocker, [world] { RunLocker(world); });
  if (program.has_foreign) world->Start(kForeign, [world] { RunForeign(world); });
  const bool has_dropped = std::any_of(
      world->database.tviews.begin(), world->database.tviews.end(), [&](const StoredTview& tview) {
        return tview.dropper != 0 && world->database.HasCommitted(tview.dropper);
      });
  if (program.drops != 0 && !has_dropped) {
    world->Start(kDropper, [world] { RunDropper(world); });
  }
  const bool has_created = std::any_of(
      world->database.tviews.begin(), world->database.tviews.end(), [&](const StoredTview& tview) {
        return tview.relation == program.creates && world->database.HasCommitted(tview.creator);
      });
  if (program.creates != 0 && !has_created) {
    world->Start(kCreator, [world] { RunCreator(world); });
  }
}

void RestartProcesses(World* world) { StartProcesses(world); }

bool ClaimSlot(World* world, DatabaseId database) {
  Slot& slot = world->slot;
  if (slot.database == database) return true;
  if (slot.database != 0 || slot.reserved_from == database) return false;
  slot.reserved_from = 0;
  world->Queue().Begin();
  slot.paused = slot.is_closing = slot.has_applier = slot.needs_applier = false;
  slot.frontier = SnapshotBounds();
  slot.behind.clear();
  slot.given_up = 0;
  ++slot.generation;
  slot.database = database;
  return true;
}

void FreeSlot(World* world) {
  if (world->other_waits) world->slot.reserved_from = world->slot.database;
  world->slot.has_applier = false;
  world->slot.database = 0;
}

void AskForRoom(World* world) {
  world->is_crowded = true;
  if (world->slot.has_applier) world->applier_latch = true;
}

void RunLauncher(World* world) {
  Slot& slot = world->slot;
  std::uint64_t unslotted_seen = 0;
  bool is_wanted = false;
  bool must_wait = false;
  const auto has_news = [&] {
    return world->launcher_latch || world->visits || (is_wanted && !world->IsThere(kApplier));
  };
  for (;;) {
    if (must_wait) {
      world->Sleep("the launcher backs off", [] { return false; });
    } else {
      world->Await("the launcher waits", has_news);
    }
    must_wait = false;
    world->launcher_latch = false;
    const std::uint64_t unslotted = world->unslotted.finished.Load();
    if (unslotted != unslotted_seen || world->visits) is_wanted = true;
    unslotted_seen = unslotted;
    world->visits = false;
    if (slot.database == kOurs && !slot.has_applier) {
      const QueueCounters& counters = slot.counters;
      if (slot.needs_applier || counters.requested.Load() > counters.served.Load() ||
          counters.overflow.started.Load() != counters.clean.Load() ||
          !world->Queue().ring().empty()) {
        is_wanted = true;
      }
      slot.needs_applier = false;
    }
    if (!is_wanted || world->IsThere(kApplier)) continue;
    is_wanted = false;
    // One that finds no slot would be started again at once.
    must_wait = slot.database != kOurs && (slot.database != 0 || slot.reserved_from == kOurs);
    world->Start(kApplier, [world] { RunApplier(world); });
  }
}

void RunFinisher(World* world) {
  const auto sessions_are_over = [world] {
    for (int i = kFirstSession; i < kProcesses; ++i) {
      if (world->IsThere(i)) return false;
    }
    return true;
  };
  for (;;) {
    world->Await("a prepared transaction",
                 [&] { return !world->finishable.empty() || sessions_are_over(); });
    if (world->finishable.empty()) return;
    const FullXid xid = world->finishable.front();
    world->finishable.erase(world->finishable.begin());
    if (xid % 4 == 3) {
      world->database.Abort(xid);
      world->Note(absl::StrCat("ROLLBACK PREPARED ", xid));
    } else {
      world->database.Commit(xid, true);
      world->Note(absl::StrCat("COMMIT PREPARED ", xid));
      world->PointInCommit("in the log");
      world->database.End(xid);
    }
    world->ReleaseLocks(xid);
    world->PointInCommit("the prepared transaction has ended");
    // A subscriber's worker ends prepared transactions without the utility hook.
    if (xid % 2 == 0) world->WakeApplier();
  }
}

// A strong lock on a TVIEW, as CREATE INDEX takes: batches leave it aside.
void RunLocker(World* world) {
  const RelationId locked = world->program->locks;
  world->Point("LOCK TABLE").IgnoreError();
  world->Await("for the batch's lock", [=] {
    return world->row_locks[locked].empty() && !world->strong_locks.contains(locked);
  });
  world->strong_locks[locked] = 1;
  for (int i = 0; i < 12; ++i) world->Point("holds its lock").IgnoreError();
  world->strong_locks.erase(locked);
}

void RunVacuum(World* world) {
  for (int i = 0; i < 6; ++i) {
    world->Point("vacuum").IgnoreError();
    world->database.VacuumOutbox();
  }
}

// It takes the only slot while nobody has it, and gives it back.
void RunForeign(World* world) {
  Slot& slot = world->slot;
  for (int i = 0; i < 2; ++i) {
    world->Point("another database looks for a slot").IgnoreError();
    while (!ClaimSlot(world, kOther)) {
      world->other_waits = true;
      AskForRoom(world);
      world->Await("for the slot",
                   [&] { return slot.database == 0 && slot.reserved_from != kOther; });
    }
    world->is_crowded = world->other_waits = false;
    world->Note("another database has the slot");
    for (int j = 0; j < 3; ++j) world->Point("another database works").IgnoreError();
    world->Queue().ring().Clear();
    FreeSlot(world);
    slot.reserved_from = 0;
    world->Note("the other database gives the slot back");
  }
}

}  // namespace tviews::simulation
