// Which TVIEWs a plan reads.
//
// Layer:   backend
// Sharing: private to one process; a cache follows syscache invalidation
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_READING_PLAN_READS_H_
#define PG_TVIEWS_BACKEND_READING_PLAN_READS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/reading/slot_wait.h"
#include "shared/types.h"

struct PlannedStmt;

namespace tviews::backend {

struct ReadTviews {
  Concerned concerned = {.tviews = {}, .all = false};  // all: functions may read whatever they like
  FullXid creator = 0;  // the last creator of one that no batch has covered yet
  bool any_unadopted = false;
};

// Registers the invalidation callback. Called once, from _PG_init.
void InitializePlanReads();

// Looks through the plan's relations, in which views and inlined functions are dissolved already.
// A call of a STABLE or IMMUTABLE function counts as a read: its queries run under the snapshot of
// the statement that calls it, so it has to wait for them (ATTACKS A12). Functions of extensions
// written in C do not count, VOLATILE ones wait for themselves.
absl::StatusOr<ReadTviews> TviewsReadBy(const PlannedStmt* plan);

// The same for one relation.
absl::Status AddRelation(RelationId relation, ReadTviews* reads);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_PLAN_READS_H_
