#include "shared/pg/shmem/change_queue.h"

#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/worker_slots.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg::change_queue {
namespace {

DatabaseSlot* SlotOf(const PublishedRecord& record) { return &Slots()->slots[record.slot]; }

std::int32_t IndexOf(const DatabaseSlot* slot) {
  return static_cast<std::int32_t>(slot - Slots()->slots);
}

PublishedRecord CountUnslotted(FullXid xid) {
  Slots()->unslotted.started.Add(1);
  return {.place = PublishedRecord::Place::kNoSlot, .xid = xid};
}

// A transaction that was counted without a slot has ended: every applier scans once more, and if
// the database has none, the launcher finds it one.
void FinishUnslotted() {
  Slots()->unslotted.finished.Add(1);
  if (DatabaseSlot* slot = FindSlot(MyDatabaseId); slot != nullptr) {
    WakeApplierOf(slot);
  } else {
    WakeLauncher();
  }
}

// Where the main lane's batch takes long, its applier tells the others that there is more.
//
// A paused applier would only go back to sleep, at the price of a signal per commit. The flag is
// read after the transaction has become visible, so whoever resumes later begins a batch that sees
// it.
void WakeForRecord(DatabaseSlot* slot) {
  if (slot->paused.Load() != 0 && slot->applier.Load() >= 0) return;
  WakeApplierOf(slot);
  if (IsLateToHandOver(slot)) slot->hurry.Store(1);
}

}  // namespace

PublishedRecord Publish(DatabaseId database, const FrameContent& content) noexcept {
  for (;;) {
    DatabaseSlot* const slot = ClaimSlot(database);
    if (slot == nullptr) return CountUnslotted(content.xid);
    ExclusiveHolder holder(slot->queue_lock);
    if (slot->database.Load() != database) continue;  // freed since
    if (slot->is_closing.Load() != 0) return CountUnslotted(content.xid);
    PublishedRecord record{.slot = IndexOf(slot), .xid = content.xid};
    if (const auto position = QueueOf(slot).Publish(content); position.has_value()) {
      record.place = PublishedRecord::Place::kRing;
      record.position = *position;
    } else {
      record.place = PublishedRecord::Place::kOverflow;
    }
    return record;
  }
}

namespace {

enum class End { kCommit, kAbort };

void AtEnd(PublishedRecord* record, End end) noexcept {
  switch (record->place) {
    case PublishedRecord::Place::kNowhere:
      return;
    case PublishedRecord::Place::kRing:
      // Gone already if the applier saw the end first.
      if (end == End::kCommit) {
        if (SlotOf(*record)->database.Load() != MyDatabaseId) record->slot = -1;
      } else {
        ExclusiveHolder holder(SlotOf(*record)->queue_lock);
        RecordRing(SlotOf(*record)->ring).Void(record->position, record->xid);
      }
      break;
    case PublishedRecord::Place::kOverflow:
      QueueOf(SlotOf(*record)).FinishOverflow();
      break;
    case PublishedRecord::Place::kNoSlot:
      FinishUnslotted();
      break;
  }
  if (end == End::kCommit && record->slot >= 0) WakeForRecord(SlotOf(*record));
  *record = PublishedRecord{};
}

}  // namespace

void AtCommit(PublishedRecord* record) noexcept { AtEnd(record, End::kCommit); }

void AtAbort(PublishedRecord* record) noexcept { AtEnd(record, End::kAbort); }

void WakeApplier(DatabaseId database) noexcept {
  if (DatabaseSlot* slot = FindSlot(database); slot != nullptr) {
    WakeForRecord(slot);
  } else {
    WakeLauncher();
  }
}

}  // namespace tviews::pg::change_queue
