// What waits to be applied, and what is on its way: the function below pg_tviews_queue_realtime.
//
// Layer:   backend
// Sharing: reads shared memory - the notes of sessions, the rings under their locks - and the
//          outbox of the current database
// Errors:  raise through pg::Enter
//
// collecting   an open transaction has captured it (session_notes.h)
// committing   published, its transaction has not ended
// waiting      committed, no batch has it yet
// applying     in the batch that runs
// spilled      committed, in the outbox only
//
// Which records of the current database are spilled, the outbox tells. Snapshot N1 is taken, then
// the ring is walked, then the outbox is scanned under a newer snapshot N2: what N1 sees and the
// walk does not meet was never there, or was applied before its end and is gone for N2.

#include <algorithm>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "backend/functions/row_output.h"
#include "shared/change_record.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/pending_walk.h"
#include "shared/pg/shmem/session_notes.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/outbox.h"
#include "shared/record_ring.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <fmgr.h>
#include <miscadmin.h>
#include <storage/procarray.h>
#include <utils/snapmgr.h>

PG_FUNCTION_INFO_V1(tviews_queue_entries);
#include "shared/pg/boundary/postgres_end.h"

namespace backend = tviews::backend;
namespace pg = tviews::pg;

namespace {

using backend::Row;
using backend::RowOutput;
using tviews::Frame;
using tviews::FullXid;
using tviews::RelationId;

// Spilled records that are listed one by one; the others are one row.
constexpr std::uint64_t kListedSpilled = 1000;

// What a record says about itself.
struct RecordFacts {
  std::vector<RelationId> relations;
  std::size_t keys = 0;
  tviews::Timestamp written_at = 0;
};

RecordFacts FactsOf(std::string_view payload) {
  RecordFacts facts;
  const absl::StatusOr<tviews::ChangeRecord> record = tviews::ParseChangeRecord(payload);
  if (!record.ok()) return facts;
  for (const auto& [relation, delta] : record->deltas.relations()) {
    facts.relations.push_back(relation);
  }
  facts.keys = record->deltas.key_count();
  facts.written_at = record->written_at;
  return facts;
}

class QueueLister {
 public:
  explicit QueueLister(const RowOutput& output) : output_(output) {}

  absl::Status ListSlot(pg::DatabaseSlot* slot);
  absl::Status ListSessions();
  // Where the current database has no slot, all its records are spilled.
  absl::Status ListSpilledHere(std::uint64_t count);

 private:
  absl::Status ListFrame(pg::DatabaseSlot* slot, const Frame& frame, bool is_here);
  absl::Status ListSession(const pg::ChangesNote& note);
  absl::Status ListSpilled(FullXid xid, std::string_view payload);
  absl::Status ListFurther(tviews::DatabaseId database, std::uint64_t count);

  RowOutput output_;
  absl::flat_hash_set<FullXid> in_ring_;  // transactions that the last slot had in its ring
};

absl::Status QueueLister::ListSession(const pg::ChangesNote& note) {
  return pg::Call([&] {
    RelationId relations[pg::kNotedRelations];
    const int count = std::min(note.relation_count.Load(), pg::kNotedRelations);
    for (int i = 0; i < count; ++i) relations[i] = note.relations[i].Load();
    Row row;
    row.PutOid(note.database.Load());
    row.PutInt(note.pid.Load());
    row.PutXid(note.xid.Load());
    row.PutNumber(note.keys);
    row.PutOids(relations, count);
    row.PutTime(note.changed_at.Load());
    row.PutText("collecting");
    row.Store(output_);
  });
}

absl::Status QueueLister::ListSessions() {
  pg::ChangesNote note;
  for (int i = 0; i < pg::session_notes::size(); ++i) {
    if (!pg::session_notes::Copy(i, &note)) continue;
    TVIEWS_RETURN_IF_ERROR(ListSession(note));
  }
  return absl::OkStatus();
}

absl::Status QueueLister::ListFrame(pg::DatabaseSlot* slot, const Frame& frame, bool is_here) {
  const tviews::FrameContent& content = frame.content;
  RecordFacts facts = FactsOf(content.payload);
  // The record is in the outbox where it was too large for the ring.
  if (content.payload.empty() && is_here) {
    TVIEWS_RETURN_IF_ERROR(pg::Outbox::Fetch(GetActiveSnapshot(), {content.outbox_row, content.xid},
                                             [&](std::string_view payload) {
                                               facts = FactsOf(payload);
                                               return absl::OkStatus();
                                             }));
  }
  const bool is_walked = frame.position < slot->activity.walked.Load();
  const bool is_applying =
      slot->activity.state.Load() == static_cast<std::int32_t>(pg::ApplierState::kApplying);
  return pg::Call([&] {
    const FullTransactionId xid = FullTransactionIdFromU64(content.xid);
    const char* state = "waiting";
    if (TransactionIdIsInProgress(XidFromFullTransactionId(xid))) {
      state = "committing";
    } else if (is_walked && is_applying) {
      state = "applying";
    }
    Row row;
    row.PutOid(slot->database.Load());
    row.PutInt(content.pid);
    row.PutXid(content.xid);
    row.PutNumber(content.source_keys);
    row.PutOids(facts.relations.data(), static_cast<int>(facts.relations.size()));
    row.PutTime(content.published_at);
    row.PutText(state);
    row.Store(output_);
  });
}

absl::Status QueueLister::ListSpilled(FullXid xid, std::string_view payload) {
  const RecordFacts facts = FactsOf(payload);
  return pg::Call([&] {
    Row row;
    row.PutOid(MyDatabaseId);
    row.PutNull();
    row.PutXid(xid);
    row.PutNumber(facts.keys);
    row.PutOids(facts.relations.data(), static_cast<int>(facts.relations.size()));
    row.PutTime(facts.written_at);
    row.PutText("spilled");
    row.Store(output_);
  });
}

// Transactions of which nothing but their number is known here.
absl::Status QueueLister::ListFurther(tviews::DatabaseId database, std::uint64_t count) {
  return pg::Call([&] {
    Row row;
    row.PutOid(database);
    row.PutNull();
    row.PutNull();
    row.PutNumber(count);
    row.PutNull();
    row.PutNull();
    row.PutText("spilled");
    row.Store(output_);
  });
}

absl::Status QueueLister::ListSpilledHere(std::uint64_t count) {
  if (count == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const tviews::Oid32 schema, pg::ExtensionSchema());
  if (schema == 0) return absl::OkStatus();
  const tviews::SnapshotBounds before = pg::BoundsOf(GetActiveSnapshot());
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { PushActiveSnapshot(GetLatestSnapshot()); }));
  std::uint64_t listed = 0;
  std::uint64_t further = 0;
  TVIEWS_RETURN_IF_ERROR(pg::Outbox::Scan(
      GetActiveSnapshot(),
      [&](tviews::RowPointer, FullXid xid, std::string_view payload) -> absl::Status {
        if (!before.Includes(xid) || in_ring_.contains(xid)) return absl::OkStatus();
        if (listed == kListedSpilled) {
          ++further;
          return absl::OkStatus();
        }
        ++listed;
        return ListSpilled(xid, payload);
      }));
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { PopActiveSnapshot(); }));
  return further == 0 ? absl::OkStatus() : ListFurther(MyDatabaseId, further);
}

absl::Status QueueLister::ListSlot(pg::DatabaseSlot* slot) {
  const tviews::DatabaseId database = slot->database.Load();
  if (database == 0) return absl::OkStatus();
  const bool is_here = database == MyDatabaseId;
  const std::uint64_t spilled =
      slot->counters.overflow.started.Load() - slot->counters.clean.Load();
  in_ring_.clear();
  pg::PendingWalk walk(slot, pg::PendingWalk::Payloads::kCopy);
  std::size_t most = 0;
  while (walk.Next()) {
    most = std::max(most, walk.frames().size());
    TVIEWS_RETURN_IF_ERROR(pg::Call([] { CHECK_FOR_INTERRUPTS(); }));
    for (const Frame& frame : walk.frames()) {
      in_ring_.insert(frame.content.xid);
      TVIEWS_RETURN_IF_ERROR(ListFrame(slot, frame, is_here));
    }
  }
  // Writers wait for a step at most.
  TVIEWS_RETURN_IF_ERROR(pg::Call([most] {
    elog(DEBUG1, "pg_tviews: a queue is read in steps of at most %zu records", most);
  }));
  if (is_here) return ListSpilledHere(spilled);
  return spilled == 0 ? absl::OkStatus() : ListFurther(database, spilled);
}

absl::Status ListQueue(const RowOutput& output) {
  // N1: in REPEATABLE READ too, newer than what waits.
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { PushActiveSnapshot(GetLatestSnapshot()); }));
  QueueLister lister(output);
  TVIEWS_RETURN_IF_ERROR(lister.ListSessions());
  pg::SlotTable* const table = pg::Slots();
  bool has_slot = false;
  for (int i = 0; i < table->slot_count; ++i) {
    has_slot = has_slot || table->slots[i].database.Load() == MyDatabaseId;
    TVIEWS_RETURN_IF_ERROR(lister.ListSlot(&table->slots[i]));
  }
  if (!has_slot) {
    TVIEWS_RETURN_IF_ERROR(QueueLister(output).ListSpilledHere(table->unslotted.started.Load()));
  }
  return pg::Call([] { PopActiveSnapshot(); });
}

}  // namespace

TVIEWS_EXPORT Datum tviews_queue_entries(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const RowOutput output, RowOutput::Open(fcinfo));
    TVIEWS_RETURN_IF_ERROR(ListQueue(output));
    return Datum{0};
  });
}
