// The processes of a run: models of the glue between the core and the server.
//
// Layer:   test
// Sharing: private to one run
// Errors:  World::Fail
//
// Each follows a file of the server's side, step by step: sessions backend/capture/transaction.cc,
// shared/pg/shmem/change_queue.cc and backend/reading/waiting.cc; the applier
// worker/batch/applier.cc, batch.cc, refresh_round.cc and behind.cc; the launcher
// worker/launcher/launcher.cc; the lane lane_outbox.cc and lane_handover.cc; slots
// shared/pg/shmem/worker_slots.cc. What they decide with is the core itself.

#ifndef PG_TVIEWS_TEST_SIMULATION_PROCESSES_H_
#define PG_TVIEWS_TEST_SIMULATION_PROCESSES_H_

#include "world.h"

namespace tviews::simulation {

void StartProcesses(World* world);
// After a crash.
void RestartProcesses(World* world);

// The bodies.
void RunSession(World* world, int process);
void RunCreator(World* world);
void RunApplier(World* world);
void RunLauncher(World* world);
void RunFinisher(World* world);
void RunDropper(World* world);
void RunVacuum(World* world);
void RunLane(World* world);
void RunLocker(World* world);
void RunForeign(World* world);

// worker_slots.cc. False: every slot serves another database.
bool ClaimSlot(World* world, DatabaseId database);
void FreeSlot(World* world);
void AskForRoom(World* world);

// lane_handover.cc. True if the lane is owed something by this batch, and to be told.
bool HandOver(World* world, const DeltaSet& deltas, const SnapshotBounds& snapshot, FullXid own);
void TellLane(World* world);

}  // namespace tviews::simulation

#endif  // PG_TVIEWS_TEST_SIMULATION_PROCESSES_H_
