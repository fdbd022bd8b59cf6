// Sources of a TVIEW: may they be sources, and the locks under which they become it.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// Creating a TVIEW locks every source, with all inheritors and partitions, in SHARE ROW EXCLUSIVE
// mode: every earlier writer has finished, every later one captures what the new TVIEW needs. The
// root's lock alone does not stop an INSERT into a leaf (ATTACKS A7). Locks are taken in the order
// of the relations' ids, so that two creations do not deadlock.
//
// While it waits for the writers of one source it holds no lock on another (ATTACKS B2): writers of
// that one would wait as well, and one that writes both, in another order, would deadlock. So it
// waits for the one that it has met busy, alone; then it takes the others, for which it waits only
// briefly, and looks at once whether their holders wait for it. If so it gives back all and begins
// again; only after many such rounds, when busy sources would starve it, it waits holding what it
// has. So does everything else that locks several sources at once: triggers that are installed or
// dropped, DROP EXTENSION.

#ifndef PG_TVIEWS_BACKEND_DDL_SOURCE_LOCKS_H_
#define PG_TVIEWS_BACKEND_DDL_SOURCE_LOCKS_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// Fails, naming the relation, unless each of `sources` is of a kind whose changes can be captured,
// and the current user may read it and create triggers on it. Privileges on those that were sources
// before, `former`, are not asked for again: who alters a table of theirs must not fail because
// they have revoked them. Without SELECT the TVIEW is quarantined when it is refreshed.
absl::Status CheckSources(const std::vector<RelationId>& sources,
                          const std::vector<RelationId>& former);

// Fails if one of `views`, which a TVIEW reads, reads a table of which row-level security hides
// rows from the owner of the view: a view reads with the rights of its owner.
absl::Status CheckRowSecurityBehind(const std::vector<RelationId>& views);

// The foreign tables among `sources` and their inheritors, whose remote changes nobody captures.
absl::StatusOr<std::vector<RelationId>> ForeignTables(const std::vector<RelationId>& sources);

// Locks `sources` and their inheritors until the end of the transaction. Fails if one of them is in
// use by a statement of this session that is running (ATTACKS B3). Those of `former` are about to
// lose their triggers: they are locked as LockTrees does.
absl::Status LockSources(const std::vector<RelationId>& sources,
                         const std::vector<RelationId>& former = {});

// The same without waiting; fails with 55P03 if somebody holds a lock in the way. For a transaction
// that must not be part of a deadlock, nor make anybody else part of one.
absl::Status LockSourcesNoWait(const std::vector<RelationId>& sources,
                               const std::vector<RelationId>& former = {});

// Locks `sources` and their inheritors as LockSources does, whoever uses them, and those of
// `exclusive` in ACCESS EXCLUSIVE mode: what DROP TRIGGER and DROP TABLE ask for. Taken later, by
// the command itself, it would wait for a reader that is about to write one of the others.
absl::Status LockTrees(const std::vector<RelationId>& sources,
                       const std::vector<RelationId>& exclusive);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_SOURCE_LOCKS_H_
