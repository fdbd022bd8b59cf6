// The applier: its loop, and its batches.

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "oracle.h"
#include "processes.h"
#include "shared/change_record.h"
#include "shared/source_key.h"
#include "shared/status_macros.h"
#include "worker/core/cascade.h"
#include "worker/core/coalescer.h"
#include "worker/core/queue_reader.h"

namespace tviews::simulation {
namespace {

using worker::AffectedKeys;
using worker::Coalescer;

// ServerOutbox.
class Outbox : public worker::BatchOutbox {
 public:
  Outbox(World* world, const SnapshotBounds& snapshot, FullXid* own)
      : world_(world), database_(world->database), snapshot_(snapshot), own_(own) {}

  absl::StatusOr<Outcome> OutcomeOf(FullXid xid, bool*) override {
    TVIEWS_RETURN_IF_ERROR(world_->Point("the outcome of an entry"));
    if (!snapshot_.Includes(xid)) return Outcome::kInProgress;
    return database_.HasCommitted(xid) ? Outcome::kCommitted : Outcome::kAborted;
  }

  absl::Status Fetch(const OutboxRow& row, Visit visit) override {
    TVIEWS_RETURN_IF_ERROR(world_->Point("a row of the outbox"));
    const OutboxEntry* const entry = Find(row);
    if (entry == nullptr) return absl::OkStatus();
    const std::string payload = entry->payload;
    return visit(row.xid, payload);
  }

  absl::Status Scan(Visit visit, absl::FunctionRef<void(const OutboxRow&)> keep) override {
    world_->Note("scans the outbox");
    std::optional<RowPointer> last;
    for (;;) {
      TVIEWS_RETURN_IF_ERROR(world_->Point("a row of the scan"));
      const OutboxEntry* next = nullptr;
      for (const OutboxEntry& row : database_.outbox) {
        if (last.has_value() && row.place <= *last) continue;
        if (next == nullptr || row.place < next->place) next = &row;
      }
      if (next == nullptr) return absl::OkStatus();
      last = next->place;
      if (database_.HasAborted(next->xmin)) continue;
      if (next->xmax != 0 && database_.HasCommitted(next->xmax)) continue;
      const FullXid xid = next->xmin;
      if (!snapshot_.Includes(xid)) {
        keep({next->place, xid});
        continue;
      }
      const std::string payload = next->payload;
      TVIEWS_RETURN_IF_ERROR(visit(xid, payload));
    }
  }

  absl::Status Delete(std::vector<OutboxRow>* rows) override {
    for (const OutboxRow& row : *rows) {
      OutboxEntry* const entry = Find(row);
      if (entry != nullptr) entry->xmax = *own_;
    }
    return absl::OkStatus();
  }

  absl::Status DeleteSeen() override {
    for (OutboxEntry& row : database_.outbox) {
      if (database_.Sees(snapshot_, *own_, row)) row.xmax = *own_;
    }
    return absl::OkStatus();
  }

 private:
  OutboxEntry* Find(const OutboxRow& row) {
    for (OutboxEntry& entry : database_.outbox) {
      if (entry.place == row.place && entry.xmin == row.xid &&
          database_.Sees(snapshot_, *own_, entry)) {
        return &entry;
      }
    }
    return nullptr;
  }

  World* world_;
  Database& database_;
  const SnapshotBounds& snapshot_;
  const FullXid* own_;
};

class Lock : public worker::QueueLock {
 public:
  explicit Lock(World* world) : world_(world) {}
  void Shared(absl::FunctionRef<void()> body) override {
    world_->Point("before the queue's lock").IgnoreError();
    body();
  }
  void Exclusive(absl::FunctionRef<void()> body) override {
    world_->PointInCommit("before the queue's lock");
    body();
  }

 private:
  World* world_;
};

// The children of changed parents, under the batch's snapshot.
class Children : public worker::KeyLookup {
 public:
  Children(World* world, const SnapshotBounds& snapshot) : world_(world), snapshot_(snapshot) {}

  absl::Status Lookup(const TviewDefinition&, const SourceLineage&, const LineagePath&,
                      const std::vector<std::string>& source_keys,
                      absl::FunctionRef<void(std::optional<std::string_view>)> emit) override {
    for (const SourceRow& row : world_->database.rows) {
      if (row.table != kChild || !world_->database.Sees(snapshot_, 0, row)) continue;
      for (const std::string& key : source_keys) {
        const auto parent = FieldAt(key, 0);
        if (parent.has_value() && FromImage(*parent) == row.parent) emit(Image(row.key));
      }
    }
    return absl::OkStatus();
  }
  absl::Status CheckInterrupts() override { return absl::OkStatus(); }

 private:
  World* world_;
  const SnapshotBounds& snapshot_;
};

// BatchRunner.
class Batch {
 public:
  explicit Batch(World* world)
      : world_(world), database_(world->database), lock_(world), reader_(world->Queue(), &lock_) {}

  absl::Status Run();
  void Abort();
  bool HasWork() const { return reader_.HasWork(); }
  bool MustPoll() const { return reader_.HasUnended(); }
  RelationId lacked_lock() const { return lacked_lock_; }
  std::optional<RingPosition> PreparedUpTo() const {
    return reader_.PreparedUpTo(
        [this](FullXid xid) { return database_.IsRunning(xid) && !database_.IsPrepared(xid); });
  }

 private:
  absl::Status InTransaction();
  absl::Status LoadGraph();
  absl::StatusOr<Coalescer> CollectRecords();
  absl::Status RefreshAll(Coalescer* coalescer);
  absl::Status Refresh(const TviewDefinition& tview, Coalescer* coalescer);
  DeltaSet Write(RelationId tview, const AffectedKeys& affected);
  void NoteChange(RelationId tview, Key key, bool is_update, DeltaSet* changes) const;
  void ClearFills();
  void Commit();

  World* world_;
  Database& database_;
  Lock lock_;
  worker::QueueReader reader_;
  const DependencyGraph* graph_ = nullptr;  // null: to be loaded
  DependencyGraph own_graph_;
  std::uint64_t catalog_changes_ = 0;
  RelationId lacked_lock_ = 0;
  // Of the batch.
  SnapshotBounds snapshot_;
  FullXid own_ = 0;
  bool has_cleared_ = false;
  std::vector<RelationId> locked_;
  std::set<FullXid> folded_;
};

absl::Status Batch::Run() {
  TVIEWS_RETURN_IF_ERROR(world_->Point("a batch begins"));
  own_ = 0;
  lacked_lock_ = 0;
  has_cleared_ = false;
  reader_.BeforeSnapshot([this] { return database_.next_xid(); });
  const absl::Status status = InTransaction();
  if (!status.ok()) {
    graph_ = nullptr;
    return status;
  }
  world_->Point("after_apply").IgnoreError();
  reader_.AfterCommit([this] {
    world_->PointInCommit("before the frontier is shown");
    world_->slot.frontier = snapshot_;
    world_->PointInCommit("before the tickets are served");
  });
  if (world_->traces()) {
    world_->Note(absl::StrCat("has applied [", absl::StrJoin(folded_, ", "), "]"));
  }
  return absl::OkStatus();
}

void Batch::Abort() {
  database_.Release(&snapshot_);
  if (own_ != 0) {
    database_.Abort(own_);
    world_->ReleaseLocks(own_);
  }
  own_ = 0;
}

absl::Status Batch::InTransaction() {
  catalog_changes_ = world_->catalog_changes;
  TVIEWS_RETURN_IF_ERROR(world_->Point("before the batch's snapshot"));
  snapshot_ = database_.Take();
  database_.Hold(&snapshot_);
  TVIEWS_RETURN_IF_ERROR(world_->Point("after_snapshot"));
  const std::vector<FullXid> expected = RecordsUnder(database_, snapshot_, 0);
  if (graph_ == nullptr) TVIEWS_RETURN_IF_ERROR(LoadGraph());
  TVIEWS_ASSIGN_OR_RETURN(Coalescer coalescer, CollectRecords());
  TVIEWS_RETURN_IF_ERROR(world_->Point("after_take"));
  const bool has_fills =
      std::any_of(graph_->order().begin(), graph_->order().end(),
                  [](const TviewDefinition& tview) { return tview.fill.has_value(); });
  if (coalescer.records() > 0 || has_fills) {
    own_ = database_.Assign();
    for (const TviewDefinition& tview : graph_->order()) {
      if (world_->creator_locks.contains(tview.relation)) {
        lacked_lock_ = tview.relation;
        return absl::AbortedError("a lock is not to be had");
      }
      world_->row_locks[tview.relation].push_back(own_);
    }
    if (world_->catalog_changes != catalog_changes_) {
      return absl::AbortedError("catalogs changed while a batch began");
    }
    TVIEWS_RETURN_IF_ERROR(RefreshAll(&coalescer));
    TVIEWS_RETURN_IF_ERROR(world_->Point("before_consume"));
    Outbox outbox(world_, snapshot_, &own_);
    TVIEWS_RETURN_IF_ERROR(reader_.DeleteConsumed(&outbox));
    CheckBatch(world_, {.snapshot = snapshot_,
                        .own = own_,
                        .folded = {folded_.begin(), folded_.end()},
                        .expected = expected});
    database_.frontiers.push_back({.xmin = own_, .bounds = snapshot_});
    if (has_fills) ClearFills();
  } else if (!expected.empty()) {
    world_->Fail("a batch does not find a record that its snapshot sees");
  }
  TVIEWS_RETURN_IF_ERROR(world_->Point("before_commit"));
  Commit();
  return absl::OkStatus();
}

// Asynchronously: what a crash undoes is in the outbox still.
void Batch::Commit() {
  database_.Release(&snapshot_);
  if (own_ == 0) return;
  database_.Commit(own_, false);
  world_->PointInCommit("the batch is in the log");
  database_.End(own_);
  if (has_cleared_) {
    world_->PointInCommit("before the invalidation");
    ++world_->catalog_changes;
  }
  world_->ReleaseLocks(own_);
  own_ = 0;
}

absl::Status Batch::LoadGraph() {
  const auto tviews = TviewsUnder(database_, snapshot_, 0);
  if (tviews.size() == InitialGraph().order().size()) {
    graph_ = &InitialGraph();
    return absl::OkStatus();
  }
  std::vector<TviewDefinition> definitions;
  for (const StoredTview* const stored : tviews) {
    definitions.push_back(DefinitionOf(stored->relation));
    if (stored->fill_cleared_by == 0 || !database_.Sees(snapshot_, 0, stored->fill_cleared_by)) {
      definitions.back().fill = stored->fill;
    }
  }
  TVIEWS_ASSIGN_OR_RETURN(own_graph_, DependencyGraph::Build(std::move(definitions)));
  graph_ = &own_graph_;
  return absl::OkStatus();
}

absl::StatusOr<Coalescer> Batch::CollectRecords() {
  Outbox outbox(world_, snapshot_, &own_);
  for (bool reloaded = false;; reloaded = true) {
    Coalescer coalescer(*graph_, world_->program->batch_memory);
    bool metadata_changed = false;
    folded_.clear();
    TVIEWS_RETURN_IF_ERROR(
        reader_.Collect(&outbox, [&](FullXid xid, std::string_view payload) -> absl::Status {
          TVIEWS_ASSIGN_OR_RETURN(ChangeRecord record,
                                  ParseChangeRecord(payload, world_->program->batch_memory));
          if (record.deltas.Find(kMeta) != nullptr) metadata_changed = true;
          folded_.insert(xid);
          coalescer.Fold(xid, std::move(record));
          return absl::OkStatus();
        }));
    if (!metadata_changed || reloaded) return coalescer;
    TVIEWS_RETURN_IF_ERROR(LoadGraph());
  }
}

absl::Status Batch::RefreshAll(Coalescer* coalescer) {
  std::vector<bool> reachable(graph_->order().size(), false);
  for (const RelationId relation : coalescer->ChangedRelations()) {
    for (const std::size_t position : graph_->Reachable(relation)) reachable[position] = true;
  }
  for (std::size_t i = 0; i < reachable.size(); ++i) {
    if (reachable[i]) TVIEWS_RETURN_IF_ERROR(Refresh(graph_->order()[i], coalescer));
  }
  return absl::OkStatus();
}

absl::Status Batch::Refresh(const TviewDefinition& tview, Coalescer* coalescer) {
  Children lookup(world_, snapshot_);
  TVIEWS_ASSIGN_OR_RETURN(const AffectedKeys affected,
                          worker::FindAffectedKeys(tview, coalescer->DeltasFor(tview), lookup,
                                                   [](const absl::Status&) { return true; }));
  if (affected.empty()) return absl::OkStatus();
  DeltaSet changes = Write(tview.relation, affected);
  TVIEWS_RETURN_IF_ERROR(world_->Point("mid_refresh"));
  coalescer->FoldRefreshed(std::move(changes), coalescer->OldestChangeFor(tview));
  return absl::OkStatus();
}

// Recomputes the affected documents, and writes those that differ.
DeltaSet Batch::Write(RelationId tview, const AffectedKeys& affected) {
  const auto is_affected = [&](Key key) {
    return affected.everything || affected.keys.contains(Image(key));
  };
  DeltaSet changes;
  std::map<Key, Value> computed;
  for (const auto& [key, value] : Compute(database_, tview, snapshot_, own_)) {
    if (is_affected(key)) computed.emplace(key, value);
  }
  std::vector<Document> added;
  for (Document& stored : database_.documents) {
    if (stored.tview != tview || !is_affected(stored.key) ||
        !database_.Sees(snapshot_, own_, stored)) {
      continue;
    }
    const auto found = computed.find(stored.key);
    const bool is_there = found != computed.end();
    if (!is_there || found->second != stored.value) {
      stored.xmax = own_;
      NoteChange(tview, stored.key, is_there, &changes);
    }
    if (!is_there) continue;
    if (found->second != stored.value) {
      added.push_back(stored);
      added.back().value = found->second;
    }
    computed.erase(found);
  }
  for (const auto& [key, value] : computed) {
    Document document;
    document.tview = tview;
    document.key = key;
    document.value = value;
    added.push_back(document);
    NoteChange(tview, key, false, &changes);
  }
  for (Document& document : added) {
    document.xmin = own_;
    document.xmax = 0;
    database_.documents.push_back(document);
  }
  return changes;
}

// ChangeNotes.
void Batch::NoteChange(RelationId tview, Key key, bool is_update, DeltaSet* changes) const {
  std::vector<RelationId> readers;
  for (const std::size_t position : graph_->Readers(tview)) {
    readers.push_back(graph_->order()[position].relation);
  }
  if (readers.empty()) return;
  Layout layout;
  layout.columns = CapturedOf(readers, tview).columns;
  if (is_update) layout.changed = {kValueColumn};
  std::string image;
  AppendField(Image(key), &image);
  changes->Add(tview, layout, image);
}

void Batch::ClearFills() {
  graph_ = nullptr;
  has_cleared_ = true;
  for (StoredTview& stored : database_.tviews) {
    if (!database_.Sees(snapshot_, 0, stored.creator)) continue;
    const bool is_cleared =
        stored.fill_cleared_by != 0 && database_.HasCommitted(stored.fill_cleared_by);
    if (!is_cleared) stored.fill_cleared_by = own_;
  }
}

// Applier.
class Applier {
 public:
  explicit Applier(World* world) : world_(world), batch_(world) {}

  void Run() {
    try {
      Loop();
    } catch (const Ended&) {
      batch_.Abort();
      Detach();
    }
  }

 private:
  void Loop() {
    Slot& slot = world_->slot;
    for (;;) {
      if (ShouldEnd()) return;
      if ((again_ || batch_.HasWork()) && !slot.paused) RunBatch();
      Wait();
    }
  }

  void RunBatch() {
    const absl::Status status = batch_.Run();
    again_ = !status.ok();
    has_served_ = true;
    if (status.ok()) return;
    world_->Note(absl::StrCat("the batch fails: ", status.message()));
    batch_.Abort();
    const RelationId lock = batch_.lacked_lock();
    if (lock == 0) return;
    world_->Await("for a lock", [this, lock] { return !world_->creator_locks.contains(lock); });
  }

  void Wait() {
    const auto is_woken = [this] { return world_->applier_latch || world_->idle_timeout; };
    if (world_->slot.paused) {
      world_->Await("the applier is paused", is_woken);
    } else if (again_) {
      world_->Point("the applier backs off").IgnoreError();
    } else if (batch_.MustPoll() && !world_->applier_latch) {
      world_->Sleep("the applier polls", [] { return true; });
    } else {
      world_->Await("the applier is idle", is_woken);
    }
    world_->applier_latch = false;
  }

  bool ShouldEnd() {
    const bool was_idle = std::exchange(world_->idle_timeout, false);
    if (world_->other_waits && has_served_) return ReleaseSlot();
    if (again_ || batch_.HasWork() || !was_idle) return false;
    world_->Point("before_release").IgnoreError();
    if (world_->slot.paused || world_->Queue().IsInFlight()) return false;
    FreeSlot(world_);
    world_->Note("gives the slot back");
    return true;
  }

  bool ReleaseSlot() {
    Slot& slot = world_->slot;
    if (slot.paused) return false;
    const OverflowCounters& overflow = slot.counters.overflow;
    if (overflow.started.Load() != overflow.finished.Load()) return false;
    RecordRing ring = world_->Queue().ring();
    if (!ring.empty() && batch_.PreparedUpTo() != ring.tail()) {
      slot.is_closing = true;
      return false;
    }
    const bool has_work = world_->Queue().IsInFlight();
    ring.Clear();
    FreeSlot(world_);
    world_->Note(has_work ? "gives the slot back, with work" : "gives the slot back");
    if (has_work) world_->visits = world_->launcher_latch = true;
    return true;
  }

  void Detach() {
    if (!world_->slot.has_applier) return;
    world_->slot.has_applier = false;
    world_->slot.needs_applier = true;
    world_->launcher_latch = true;
  }

  World* world_;
  Batch batch_;
  bool again_ = true;
  bool has_served_ = false;  // it has had its turn
};

bool OutboxHasWork(World* world) {
  const Database& database = world->database;
  if (!database.Prepared().empty()) return true;
  world->Point("nothing is prepared").IgnoreError();
  return !RecordsUnder(database, database.Take(), 0).empty();
}

// True if the slot is this applier's.
bool TakeSlot(World* world) {
  Slot& slot = world->slot;
  world->Point("the applier starts").IgnoreError();
  if (slot.database != kOurs && world->is_crowded && !OutboxHasWork(world)) return false;
  if (!ClaimSlot(world, kOurs)) {
    if (!OutboxHasWork(world)) return false;
    AskForRoom(world);
    world->visits = world->launcher_latch = true;
    return false;
  }
  world->Point("before the applier attaches").IgnoreError();
  if (slot.database != kOurs || slot.has_applier) return false;
  slot.has_applier = true;
  slot.needs_applier = slot.is_closing = false;
  world->Queue().BeginApplier();
  world->applier_latch = false;
  return true;
}

}  // namespace

void RunApplier(World* world) {
  try {
    if (!TakeSlot(world)) return;
  } catch (const Ended&) {
    world->visits = world->launcher_latch = true;  // what waits here, nobody has seen yet
    return;
  }
  Applier(world).Run();
}

}  // namespace tviews::simulation
