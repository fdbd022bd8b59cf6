#include "shared/pg/common/lag.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "shared/counted.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/shmem/pending_walk.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/record_ring.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

void Add(const FrameContent& frame, Lag* lag) {
  if (IsInProgress(frame.xid)) return;  // about to commit, or being prepared to
  if (lag->oldest_at == 0 || frame.published_at < lag->oldest_at) {
    lag->oldest_at = frame.published_at;
    lag->oldest_xid = frame.xid;
  }
  ++lag->records;
  lag->keys += frame.source_keys;
  lag->bytes += frame.record_bytes;
}

SnapshotBounds FrontierOf(DatabaseSlot* slot) {
  SnapshotBounds frontier;
  ReadHolder holder(slot->frontier_lock);
  frontier.xmin = slot->frontier_xmin;
  frontier.xmax = slot->frontier_xmax;
  frontier.in_progress.assign(slot->frontier_in_progress,
                              slot->frontier_in_progress + slot->frontier_count);
  return frontier;
}

}  // namespace

Lag MeasureLag(DatabaseSlot* slot) {
  Lag lag;
  DatabaseSlot* const queue =
      slot == nullptr || !IsOfLane(slot) ? slot : FindSlot(slot->database.Load());
  if (queue == nullptr) return lag;
  const SnapshotBounds frontier = queue == slot ? SnapshotBounds() : FrontierOf(slot);
  PendingWalk walk(queue, PendingWalk::Payloads::kOmit);
  while (walk.Next()) {
    for (const Frame& frame : walk.frames()) {
      if (!frontier.Includes(frame.content.xid)) Add(frame.content, &lag);
    }
  }
  lag.spilled = queue->counters.overflow.started.Load() - queue->counters.clean.Load();
  return lag;
}

std::string DescribeLag(const Lag& lag) {
  if (lag.records == 0 && lag.spilled == 0) return "No change record waits.";
  std::string text;
  if (lag.records > 0) {
    const double seconds = static_cast<double>(GetCurrentTimestamp() - lag.oldest_at) / 1e6;
    text = absl::StrFormat("%s with %s wait%s, the oldest for %.3f s.",
                           Counted(lag.records, "change record"), Counted(lag.keys, "key"),
                           lag.records == 1 ? "s" : "", seconds);
  }
  if (lag.spilled > 0) {
    absl::StrAppend(&text, text.empty() ? "" : " ", lag.spilled,
                    lag.spilled == 1 ? " more is" : " more are", " in pg_tview_outbox only.");
  }
  return text;
}

}  // namespace tviews::pg
