// What must hold: the checks of a run.
//
// Layer:   test
// Sharing: private to one run
// Errors:  World::Fail
//
// None of this uses the core: the oracle computes queries over the source rows that a snapshot
// sees, and compares.

#ifndef PG_TVIEWS_TEST_SIMULATION_ORACLE_H_
#define PG_TVIEWS_TEST_SIMULATION_ORACLE_H_

#include <vector>

#include "world.h"

namespace tviews::simulation {

// Rows of the sources, the TVIEWs filled from them, and a frontier.
void LoadInitialState(Database* database);

// The TVIEWs that `snapshot` sees.
std::vector<const StoredTview*> TviewsUnder(const Database& database,
                                            const SnapshotBounds& snapshot, FullXid own);

// A batch under `snapshot` is about to commit: every TVIEW equals its query under it; it has taken
// each record that the snapshot sees, and no other; it has left none of them in the outbox; its
// frontier includes all that the one before did.
struct BatchFacts {
  SnapshotBounds snapshot;
  FullXid own = 0;
  std::vector<FullXid> folded;    // ascending, each once
  std::vector<FullXid> expected;  // whose rows the outbox had for the snapshot at the beginning
};
std::vector<FullXid> RecordsUnder(const Database& database, const SnapshotBounds& snapshot,
                                  FullXid own);
void CheckBatch(World* world, const BatchFacts& facts);

// A session reads all TVIEWs under `snapshot`: each stands at the frontier that the same snapshot
// sees, which includes what an earlier read of the session has seen, and `required`. The lane's
// show besides what `since` sees, if it is given.
void CheckRead(World* world, int session, const SnapshotBounds& snapshot,
               const std::vector<FullXid>& required, const SnapshotBounds* since);

// The lane's TVIEWs, as `snapshot` sees them, equal their queries under `as_of`.
void CheckLane(World* world, const char* when, const SnapshotBounds& snapshot, FullXid own,
               const SnapshotBounds& as_of);

// Nobody has anything left to do: everything committed is in the TVIEWs, nothing is in the outbox.
void CheckAtRest(World* world);

}  // namespace tviews::simulation

#endif  // PG_TVIEWS_TEST_SIMULATION_ORACLE_H_
