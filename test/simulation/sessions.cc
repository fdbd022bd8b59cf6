// Sessions: transactions that change sources, statements that read TVIEWs, and CREATE TABLE AS.

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "oracle.h"
#include "processes.h"
#include "shared/change_record.h"
#include "shared/savepoint_deltas.h"
#include "shared/source_key.h"

namespace tviews::simulation {
namespace {

constexpr Origin kHere{.system_identifier = 7, .database = kOurs};

// What a transaction published: pg::PublishedRecord.
struct Published {
  enum class Place { kRing, kOverflow, kNoSlot };
  Place place = Place::kRing;
  RingPosition position = 0;
  std::uint32_t generation = 0;
};

// The transaction has to wait for the creator's lock while it holds others: it gives up.
struct LockFailure {};

class Transaction {
 public:
  explicit Transaction(World* world) : world_(world), database_(world->database) {}

  FullXid xid() const { return xid_; }
  void Assign() {
    if (xid_ == 0) xid_ = database_.Assign();
  }

  void Do(const Operation& operation);
  void NoteWhole(RelationId relation) { deltas_.MarkWhole(level_, relation); }
  void AtPreCommit();
  void Commit();
  void Prepare();
  void Abort();
  bool has_records() const { return !published_.empty(); }

 private:
  void Lock(RelationId table);
  void Change(RelationId table, Key key, const std::function<void(SourceRow*)>& change);
  void Insert(const SourceRow& row);
  void Delete(SourceRow* row);
  void Capture(const SourceRow* before, const SourceRow* after);
  void WriteRecord();
  Published Publish(const FrameContent& content);
  void AtEnd(bool committed);

  World* world_;
  Database& database_;
  FullXid xid_ = 0;
  int level_ = 1;
  SavepointDeltas deltas_;
  std::vector<std::pair<int, std::size_t>> replaced_;  // level, index of the row
  std::vector<std::pair<int, std::size_t>> added_;
  std::vector<Published> published_;
  bool has_locks_ = false;
};

void Transaction::Lock(RelationId table) {
  std::vector<FullXid>& holders = world_->row_locks[table];
  if (std::find(holders.begin(), holders.end(), xid_) != holders.end()) return;
  const auto is_free = [this, table] { return !world_->strong_locks.contains(table); };
  if (!is_free()) {
    if (has_locks_) throw LockFailure();
    world_->Await("for the lock of CREATE", is_free);
  }
  has_locks_ = true;
  world_->row_locks[table].push_back(xid_);
}

void Transaction::Capture(const SourceRow* before, const SourceRow* after) {
  const SourceRow& row = before != nullptr ? *before : *after;
  std::vector<RelationId> tviews;
  for (const StoredTview* const tview : TviewsUnder(database_, database_.Take(), xid_)) {
    tviews.push_back(tview->relation);
  }
  const Captured& captured = CapturedOf(tviews, row.table);
  Layout layout;
  layout.columns = captured.columns;
  const auto column = [](const SourceRow& of, AttributeNumber attribute) {
    return attribute == kKeyColumn      ? of.key
           : attribute == kValueColumn  ? of.value
           : attribute == kParentColumn ? of.parent
                                        : of.group;
  };
  if (before != nullptr && after != nullptr) {
    for (const AttributeNumber attribute : captured.relevant) {
      if (column(*before, attribute) != column(*after, attribute)) {
        layout.changed.push_back(attribute);
      }
    }
    if (layout.changed.empty()) return;
  }
  for (const SourceRow* const version : {before, after}) {
    if (version == nullptr) continue;
    std::string key;
    for (const CapturedColumn& one : layout.columns) {
      AppendField(Image(column(*version, one.attribute)), &key);
    }
    deltas_.Add(level_, row.table, layout, key);
  }
  deltas_.KeepWithin(world_->program->transaction_memory);
}

void Transaction::Insert(const SourceRow& row) {
  added_.emplace_back(level_, database_.rows.size());
  database_.rows.push_back(row);
  SourceRow& added = database_.rows.back();
  added.xmin = xid_;
  added.xmax = 0;
}

void Transaction::Delete(SourceRow* row) {
  row->xmax = xid_;
  replaced_.emplace_back(level_, row - database_.rows.data());
}

void Transaction::Change(RelationId table, Key key, const std::function<void(SourceRow*)>& change) {
  SourceRow* const row = database_.FindToChange(database_.Take(), xid_, table, key);
  if (row == nullptr) return;
  const SourceRow before = *row;
  Delete(row);
  SourceRow after = before;
  change(&after);
  Insert(after);
  Capture(&before, &after);
}

void Transaction::Do(const Operation& operation) {
  using Kind = Operation::Kind;
  if (world_->traces()) world_->Note(absl::StrCat("statement in transaction ", xid_));
  const Key key = operation.key;
  switch (operation.kind) {
    case Kind::kUpdateParent:
      Lock(kParent);
      Change(kParent, key, [](SourceRow* row) { ++row->value; });
      break;
    case Kind::kUpdateChild:
      Lock(kChild);
      Change(kChild, key, [](SourceRow* row) { row->value += 100; });
      break;
    case Kind::kMoveChild:
      Lock(kChild);
      Change(kChild, key, [&](SourceRow* row) { row->parent = operation.other; });
      break;
    case Kind::kGroupChild:
      Lock(kChild);
      Change(kChild, key, [&](SourceRow* row) { row->group = operation.other; });
      break;
    case Kind::kDeleteChild:
      Lock(kChild);
      if (SourceRow* row = database_.FindToChange(database_.Take(), xid_, kChild, key);
          row != nullptr) {
        Delete(row);
        const SourceRow before = *row;
        Capture(&before, nullptr);
      }
      break;
    case Kind::kInsertChild: {
      Lock(kChild);
      // As under a unique index: nobody else may have the key, or be about to.
      const bool is_taken =
          std::any_of(database_.rows.begin(), database_.rows.end(), [&](const SourceRow& row) {
            return row.table == kChild && row.key == key && !database_.HasAborted(row.xmin) &&
                   (row.xmax == 0 || row.xmax == xid_
                        ? row.xmax == 0
                        : database_.HasAborted(row.xmax) || database_.IsRunning(row.xmax));
          });
      if (is_taken) break;
      SourceRow row;
      row.table = kChild;
      row.key = key;
      row.parent = row.group = operation.other;
      row.value = 7 * key;
      Insert(row);
      Capture(nullptr, &row);
      break;
    }
    case Kind::kTruncateChildren:
      Lock(kChild);
      for (Key each = 1; each <= kChildren; ++each) {
        SourceRow* const row = database_.FindToChange(database_.Take(), xid_, kChild, each);
        if (row != nullptr) Delete(row);
      }
      deltas_.MarkWhole(level_, kChild);
      break;
    case Kind::kSavepoint:
      ++level_;
      break;
    case Kind::kReleaseSavepoint:
      if (level_ == 1) break;
      deltas_.BeginRelease(level_);
      deltas_.EndRelease(level_);
      --level_;
      for (auto& [level, row] : replaced_) level = std::min(level, level_);
      for (auto& [level, row] : added_) level = std::min(level, level_);
      break;
    case Kind::kRollbackTo:
      if (level_ == 1) break;
      deltas_.RollBack(level_);
      while (!replaced_.empty() && replaced_.back().first >= level_) {
        database_.rows[replaced_.back().second].xmax = 0;
        replaced_.pop_back();
      }
      while (!added_.empty() && added_.back().first >= level_) {
        database_.rows[added_.back().second].xmin = database_.Assign();
        database_.Abort(database_.rows[added_.back().second].xmin);
        added_.pop_back();
      }
      break;
  }
}

void Transaction::WriteRecord() {
  DeltaSet deltas = deltas_.TakeAll();
  std::string payload;
  SerializeChangeRecord(kHere, 1, deltas, &payload);
  const RowPointer row = database_.InsertOutbox(xid_, payload);
  world_->Point("after_outbox").IgnoreError();
  const FrameContent content{.xid = xid_,
                             .outbox_row = row,
                             .published_at = 1,
                             .pid = 1,
                             .source_keys = static_cast<std::uint32_t>(deltas.key_count()),
                             .record_bytes = static_cast<std::uint32_t>(payload.size()),
                             .payload = payload};
  published_.push_back(Publish(content));
}

Published Transaction::Publish(const FrameContent& content) {
  Slot& slot = world_->slot;
  const auto unslotted = [&] {
    world_->unslotted.started.Add(1);
    world_->Note("counts as without a slot");
    return Published{.place = Published::Place::kNoSlot};
  };
  for (;;) {
    if (!ClaimSlot(world_, kOurs)) return unslotted();
    world_->PointInCommit("before the queue's lock");
    if (slot.database != kOurs) continue;
    if (slot.is_closing) return unslotted();
    const auto position = world_->Queue().Publish(content);
    if (world_->traces()) {
      world_->Note(position.has_value() ? absl::StrCat("publishes at ", *position) : "overflows");
    }
    return {.place = position.has_value() ? Published::Place::kRing : Published::Place::kOverflow,
            .position = position.value_or(0),
            .generation = slot.generation};
  }
}

void Transaction::AtPreCommit() {
  while (level_ > 1) Do({.kind = Operation::Kind::kReleaseSavepoint});
  if (deltas_.empty()) return;
  WriteRecord();
  world_->Point("after_publish").IgnoreError();
}

void Transaction::AtEnd(bool committed) {
  Slot& slot = world_->slot;
  for (const Published& record : published_) {
    bool wakes = committed;
    switch (record.place) {
      case Published::Place::kRing:
        if (committed) {
          if (slot.database != kOurs) wakes = false;
        } else {
          world_->PointInCommit("before the queue's lock");
          world_->Queue().ring().Void(record.position, xid_);
        }
        break;
      case Published::Place::kOverflow:
        world_->Queue().FinishOverflow();
        break;
      case Published::Place::kNoSlot:
        world_->unslotted.finished.Add(1);
        wakes = false;
        if (slot.database == kOurs) {
          world_->WakeApplier();
        } else {
          world_->launcher_latch = true;
        }
        break;
    }
    if (!wakes || (slot.paused && slot.has_applier)) continue;
    world_->PointInCommit("before the wake-up");
    world_->WakeApplier();
    // As where the main lane's batch takes long.
    if (xid_ % 3 == 0) world_->lane_hurry = world_->lane_latch = true;
  }
  published_.clear();
}

void Transaction::Commit() {
  if (xid_ == 0) return;
  database_.Commit(xid_, true);
  if (world_->traces()) world_->Note(absl::StrCat("transaction ", xid_, " is in the log"));
  world_->PointInCommit("in the log");
  database_.End(xid_);
  world_->PointInCommit("after_commit");
  AtEnd(true);
  world_->ReleaseLocks(xid_);
}

void Transaction::Prepare() {
  database_.Prepare(xid_);
  if (world_->traces()) world_->Note(absl::StrCat("transaction ", xid_, " is prepared"));
  world_->PointInCommit("prepared");
  AtEnd(true);
  world_->finishable.push_back(xid_);
}

void Transaction::Abort() {
  if (xid_ == 0) return;
  database_.Abort(xid_);
  if (world_->traces()) world_->Note(absl::StrCat("transaction ", xid_, " has aborted"));
  world_->PointInCommit("after the abort");
  AtEnd(false);
  world_->ReleaseLocks(xid_);
}

class Session {
 public:
  Session(World* world, int process)
      : world_(world), process_(process), state_(world->sessions[process]) {}

  void Execute(const Step& step) {
    if (step.kind >= Step::Kind::kReadSession) return Read(step.kind);
    Transaction transaction(world_);
    try {
      Write(step, &transaction);
    } catch (const Ended&) {
      transaction.Abort();
      state_.last_recorded = 0;  // the next step is another session's
      state_.read = SnapshotBounds();
    } catch (const LockFailure&) {
      transaction.Abort();
    }
  }

 private:
  void Write(const Step& step, Transaction* transaction) {
    transaction->Assign();
    for (const Operation& operation : step.operations) {
      world_->Point("statement").IgnoreError();
      transaction->Do(operation);
    }
    if (step.kind == Step::Kind::kRollback) return transaction->Abort();
    transaction->AtPreCommit();
    if (step.kind == Step::Kind::kLateChange) {
      transaction->Do(step.operations.front());
      transaction->AtPreCommit();
    }
    if (step.kind == Step::Kind::kPrepare) return transaction->Prepare();
    const bool has_records = transaction->has_records();
    transaction->Commit();
    if (has_records) state_.last_recorded = transaction->xid();
  }

  void Read(Step::Kind kind) {
    try {
      std::vector<FullXid> required;
      bool is_right = true;
      SnapshotBounds began;
      if (kind == Step::Kind::kReadSession && state_.last_recorded != 0) {
        required.push_back(state_.last_recorded);
        is_right = AwaitCommitted(state_.last_recorded) && LaneIncludes(state_.last_recorded);
      } else if (kind == Step::Kind::kReadStrict) {
        began = world_->database.Take();
        required = RecordsUnder(world_->database, began, 0);
        is_right = AwaitEverything();
      }
      world_->Point("before the reader's snapshot").IgnoreError();
      const SnapshotBounds snapshot = world_->database.Take();
      if (!is_right) required.clear();  // it is told that the applier is paused
      const bool is_strict = is_right && kind == Step::Kind::kReadStrict;
      CheckRead(world_, process_, snapshot, required, is_strict ? &began : nullptr);
    } catch (const Ended&) {
      state_.last_recorded = 0;
      state_.read = SnapshotBounds();
    }
  }

  // False if the applier is paused, or the slot is another database's: then it asks again.
  bool SleepUntil(const std::function<bool()>& is_done) {
    Slot& slot = world_->slot;
    const std::uint32_t generation = slot.generation;
    const auto is_ours = [&] { return slot.database == kOurs && slot.generation == generation; };
    for (;;) {
      if (is_done() && is_ours()) return true;
      if (slot.paused || !is_ours()) return false;
      // While TVIEWs are behind, the applier looks by itself.
      const bool is_behind = !slot.behind.empty();
      if (!is_behind) world_->WakeApplier();
      world_->Await("for the applier", [&] {
        return is_done() || slot.paused || !is_ours() || (is_behind && slot.behind.empty());
      });
    }
  }

  // Until the database has a slot.
  void AwaitSlot() {
    while (!ClaimSlot(world_, kOurs)) {
      AskForRoom(world_);
      world_->visits = world_->launcher_latch = true;
      world_->Sleep("for a slot", [] { return false; });
    }
  }

  bool AwaitCommitted(FullXid xid) {
    for (;;) {
      AwaitSlot();
      if (SleepUntil(
              [&] { return world_->slot.frontier.Includes(xid) && world_->slot.behind.empty(); }))
        return true;
      if (world_->slot.paused) return false;
    }
  }

  bool IsNoNewsForLane(FullXid xid) {
    if (world_->slot.database != kOurs || !world_->slot.frontier.Includes(xid)) return false;
    return world_->LaneQueue().IsIdle();
  }

  bool LaneIncludes(FullXid xid) {
    if (!world_->program->has_lane) return true;
    bool has_ticket = false;
    for (;;) {
      if (world_->lane_frontier.Includes(xid)) return true;
      world_->Point("before the lane's queue is looked at").IgnoreError();
      if (IsNoNewsForLane(xid)) return true;
      if (!std::exchange(has_ticket, true)) world_->lane_counters.requested.Add(1);
      world_->lane_latch = true;
      world_->Await("for the lane", [&] { return world_->lane_frontier.Includes(xid); });
    }
  }

  bool LaneServes() {
    if (!world_->program->has_lane) return true;
    world_->Point("before the lane's ticket").IgnoreError();
    const std::uint64_t ticket = world_->lane_counters.requested.Add(1);
    world_->lane_latch = true;
    world_->Await("for the lane", [&] { return world_->lane_counters.served.Load() >= ticket; });
    return true;
  }

  // A lane is idle where the main one has nothing that could be news for it.
  bool NothingWaits() {
    if (world_->slot.database != kOurs || !world_->Queue().IsIdle() ||
        !world_->slot.behind.empty()) {
      return false;
    }
    if (!world_->program->has_lane) return true;
    world_->Point("before the lane's queue is looked at").IgnoreError();
    return world_->LaneQueue().IsIdle();
  }

  bool AwaitEverything() {
    if (NothingWaits()) return true;
    for (;;) {
      AwaitSlot();
      world_->Point("before the ticket").IgnoreError();
      if (world_->slot.database != kOurs) continue;
      QueueCounters& counters = world_->slot.counters;
      const std::uint64_t ticket = counters.requested.Add(1);
      if (SleepUntil(
              [&] { return counters.served.Load() >= ticket && world_->slot.behind.empty(); })) {
        return LaneServes();
      }
      if (world_->slot.paused) return false;
    }
  }

  World* world_;
  int process_;
  World::Session& state_;
};

void ReleaseStrongLock(World* world, RelationId relation, FullXid xid) {
  const auto held = world->strong_locks.find(relation);
  if (held != world->strong_locks.end() && held->second == xid) world->strong_locks.erase(held);
}

}  // namespace

void RunSession(World* world, int process) {
  const std::vector<Step>& steps =
      world->program->sessions[static_cast<std::size_t>(process - kFirstSession)];
  std::size_t& next = world->sessions[static_cast<std::size_t>(process)].next_step;
  Session session(world, process);
  while (next < steps.size()) session.Execute(steps[next++]);
}

// backend/tview/create.cc: locks first, then the snapshot of the fill; a record that the metadata
// changed.
void RunCreator(World* world) {
  const RelationId created = world->program->creates;
  const RelationId source = created == kTvOver ? kTvParent : kChild;
  Database& database = world->database;
  Transaction transaction(world);
  try {
    world->Point("CREATE TABLE AS").IgnoreError();
    transaction.Assign();
    const FullXid xid = transaction.xid();
    world->Await("for the locker", [&] { return !world->strong_locks.contains(source); });
    world->strong_locks[source] = xid;
    world->Await("for the writers' locks", [&] { return world->row_locks[source].empty(); });
    const SnapshotBounds snapshot = database.Take();
    database.Hold(&snapshot);
    for (const auto& [key, value] : Compute(database, created, snapshot, xid)) {
      Document document;
      document.xmin = xid;
      document.tview = created;
      document.key = key;
      document.value = value;
      database.documents.push_back(document);
    }
    world->Point("the fill").IgnoreError();
    database.Release(&snapshot);
    StoredTview stored;
    stored.creator = xid;
    stored.relation = created;
    stored.fill = Fill{.snapshot = snapshot, .creator = xid};
    database.tviews.push_back(stored);
    transaction.NoteWhole(kMeta);
    transaction.AtPreCommit();
    transaction.Commit();
    world->PointInCommit("before the invalidation");
    ++world->catalog_changes;
  } catch (const Ended&) {
    transaction.Abort();
  }
  ReleaseStrongLock(world, source, transaction.xid());
}

// backend/tview/dropped.cc: the TVIEW's lock, and a record that the metadata changed. What it owes
// is left to the applier.
void RunDropper(World* world) {
  const RelationId dropped = world->program->drops;
  Database& database = world->database;
  Transaction transaction(world);
  try {
    world->Point("DROP TABLE").IgnoreError();
    transaction.Assign();
    const FullXid xid = transaction.xid();
    world->Await("for the lock of the TVIEW", [=] {
      return world->row_locks[dropped].empty() && !world->strong_locks.contains(dropped);
    });
    world->strong_locks[dropped] = xid;
    world->Point("has locked the TVIEW").IgnoreError();
    for (StoredTview& stored : database.tviews) {
      if (stored.relation == dropped) stored.dropper = xid;
    }
    transaction.NoteWhole(kMeta);
    transaction.AtPreCommit();
    transaction.Commit();
    world->PointInCommit("before the invalidation");
    ++world->catalog_changes;
  } catch (const Ended&) {
    transaction.Abort();
  }
  ReleaseStrongLock(world, dropped, transaction.xid());
}

}  // namespace tviews::simulation
