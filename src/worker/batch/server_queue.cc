#include "worker/batch/server_queue.h"

#include <algorithm>

#include "shared/pg/server/snapshot.h"
#include "shared/pg/tables/outbox.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <storage/condition_variable.h>
#include <utils/snapshot.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

absl::StatusOr<Outcome> ServerOutbox::OutcomeOf(FullXid xid, bool* forgotten) {
  return pg::OutcomeUnder(snapshot_, xid, forgotten);
}

absl::Status ServerOutbox::Fetch(const OutboxRow& row, Visit visit) {
  return pg::Outbox::Fetch(snapshot_, row,
                           [&](std::string_view payload) { return visit(row.xid, payload); });
}

absl::Status ServerOutbox::Scan(Visit visit, absl::FunctionRef<void(const OutboxRow&)> keep) {
  return pg::Outbox::ScanAll(
      snapshot_,
      [&](RowPointer, FullXid xid, std::string_view payload) { return visit(xid, payload); }, keep);
}

absl::Status ServerOutbox::Delete(std::vector<OutboxRow>* rows) {
  return pg::Outbox::Delete(snapshot_, *rows);
}

absl::Status ServerOutbox::DeleteSeen() { return pg::Outbox::DeleteSeen(snapshot_); }

void ServerQueueLock::Shared(absl::FunctionRef<void()> body) {
  pg::ReadHolder holder(slot_->queue_lock);
  body();
}

void ServerQueueLock::Exclusive(absl::FunctionRef<void()> body) {
  pg::ExclusiveHolder holder(slot_->queue_lock);
  body();
}

void ShowFrontier(pg::DatabaseSlot* slot, const SnapshotBounds& frontier,
                  const std::set<RelationId>& behind, const std::vector<pg::BusyLock>& busy) {
  pg::ExclusiveHolder holder(slot->frontier_lock);
  slot->frontier_xmin = frontier.xmin;
  slot->frontier_xmax = frontier.xmax;
  slot->frontier_count = static_cast<std::uint32_t>(frontier.in_progress.size());
  for (std::size_t i = 0; i < frontier.in_progress.size(); ++i) {
    slot->frontier_in_progress[i] = frontier.in_progress[i];
  }
  int place = 0;
  for (const RelationId tview : behind) {
    if (place == pg::kBehindPlaces) break;
    slot->behind[place++] = tview;
  }
  slot->behind_count.Store(static_cast<std::int32_t>(behind.size()));
  slot->busy_count = 0;
  for (const pg::BusyLock& lock : busy) {
    if (slot->busy_count == pg::kBusyPlaces) break;
    slot->busy[slot->busy_count++] = lock;
  }
}

void WakeReaders(pg::DatabaseSlot* slot) {
  ConditionVariableBroadcast(reinterpret_cast<ConditionVariable*>(slot->progress));
}

}  // namespace tviews::worker
