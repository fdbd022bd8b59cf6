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
#include "worker/core/repetition.h"
#include "worker/core/standings.h"

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
  absl::Status Complete(const TviewDefinition&, const std::vector<std::size_t>&,
                        const std::vector<std::string>&,
                        absl::FunctionRef<void(std::string_view)>) override {
    return absl::InternalError("the simulation has no keys of several columns");
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
  // After a failed Run: what it means for the next one.
  struct Failure {
    worker::Ending ending = worker::Ending::kPassing;
    bool leaves_aside = false;
  };
  Failure AfterFailure(const absl::Status& status);
  void Abort();
  long BehindDueMs() const { return standings_.LookDueMs(world_->now); }
  bool has_behind() const { return standings_.AnyBehind(); }
  bool HasWork() const { return reader_.HasWork(); }
  bool MustPoll() const { return reader_.HasUnended(); }
  std::optional<RingPosition> PreparedUpTo() const {
    return reader_.PreparedUpTo(
        [this](FullXid xid) { return database_.IsRunning(xid) && !database_.IsPrepared(xid); });
  }

 private:
  absl::Status InTransaction();
  absl::Status LoadGraph();
  void ForgetDropped(const std::vector<const StoredTview*>& tviews);
  absl::StatusOr<Coalescer> CollectRecords();
  absl::Status RefreshAll(Coalescer* coalescer);
  absl::Status Refresh(const TviewDefinition& tview, Coalescer* coalescer);
  absl::StatusOr<AffectedKeys> KeysFor(const TviewDefinition& tview, Coalescer* coalescer);
  std::vector<bool> FindReachable(const Coalescer& coalescer) const;
  absl::Status TakeLocks(const std::vector<bool>& reachable);
  void LeaveAside(const TviewDefinition& tview, const DeltaSet& deltas);
  absl::StatusOr<DeltaSet> CatchUp(RelationId tview);
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
  worker::Standings standings_;
  std::set<RelationId> waited_for_;  // locks that were not to be had in time
  // Of the batch.
  SnapshotBounds snapshot_;
  FullXid own_ = 0;
  bool has_cleared_ = false;
  bool has_moved_ = false;
  bool is_contended_ = false;
  bool has_changed_ = false;    // what is behind
  bool must_tell_lane_ = true;  // of an applier before, something may be untold
  RelationId refreshing_ = 0;
  std::set<FullXid> folded_;
};

absl::Status Batch::Run() {
  TVIEWS_RETURN_IF_ERROR(world_->Point("a batch begins"));
  own_ = 0;
  has_cleared_ = has_moved_ = is_contended_ = has_changed_ = false;
  refreshing_ = 0;
  reader_.BeforeSnapshot([this] { return database_.next_xid(); });
  const absl::Status status = InTransaction();
  if (!status.ok()) {
    graph_ = nullptr;
    return status;
  }
  world_->Point("after_apply").IgnoreError();
  standings_.Commit();
  if (world_->program->has_lane && std::exchange(must_tell_lane_, false)) TellLane(world_);
  reader_.AfterCommit([this] {
    world_->PointInCommit("before the frontier is shown");
    world_->slot.frontier = snapshot_;
    world_->slot.behind = standings_.WaitedFor();
    world_->slot.given_up = standings_.GivenUp();
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
  standings_.BeginBatch();
  const std::vector<FullXid> expected = RecordsUnder(database_, snapshot_, 0);
  if (graph_ == nullptr) TVIEWS_RETURN_IF_ERROR(LoadGraph());
  TVIEWS_ASSIGN_OR_RETURN(Coalescer coalescer, CollectRecords());
  TVIEWS_RETURN_IF_ERROR(world_->Point("after_take"));
  const bool has_fills =
      std::any_of(graph_->order().begin(), graph_->order().end(),
                  [](const TviewDefinition& tview) { return tview.fill.has_value(); });
  const bool has_news = coalescer.records() > 0 || has_fills || standings_.AnyAccused();
  if (!has_news && !expected.empty()) {
    world_->Fail("a batch does not find a record that its snapshot sees");
  }
  if (has_news || standings_.TryDueMs(world_->now) == 0) {
    if (own_ == 0) own_ = database_.Assign();
    TVIEWS_RETURN_IF_ERROR(TakeLocks(FindReachable(coalescer)));
    has_moved_ = world_->catalog_changes != catalog_changes_;
    if (has_moved_) return absl::AbortedError("catalogs changed while a batch began");
    TVIEWS_RETURN_IF_ERROR(RefreshAll(&coalescer));
  }
  // Where only TVIEWs that are behind were tried, in vain, there is nothing to write.
  if (has_news || has_changed_) {
    TVIEWS_RETURN_IF_ERROR(world_->Point("before_consume"));
    Outbox outbox(world_, snapshot_, &own_);
    must_tell_lane_ |= HandOver(world_, coalescer.common(), snapshot_, own_);
    TVIEWS_RETURN_IF_ERROR(reader_.DeleteConsumed(&outbox));
    CheckBatch(world_, {.snapshot = snapshot_,
                        .own = own_,
                        .folded = {folded_.begin(), folded_.end()},
                        .expected = expected});
    database_.frontiers.push_back({.xmin = own_, .bounds = snapshot_});
    if (has_fills) ClearFills();
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
  std::vector<worker::Standings::Behind> behind;
  for (const StoredTview* const stored : tviews) {
    const BehindRow* const row = database_.BehindUnder(snapshot_, 0, stored->relation);
    if (row == nullptr) continue;
    behind.push_back({.tview = row->tview, .reason = "it was", .retry_at = row->retry_at});
  }
  ForgetDropped(tviews);
  const bool is_initial = tviews.size() == InitialGraph().order().size() &&
                          std::all_of(tviews.begin(), tviews.end(), [](const StoredTview* stored) {
                            return stored->creator == kBootstrap;
                          });
  if (is_initial) {
    graph_ = &InitialGraph();
    standings_.Load(*graph_, behind, world_->now);
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
  standings_.Load(*graph_, behind, world_->now);
  return absl::OkStatus();
}

// BehindTviews::Read: of a TVIEW that is gone nobody owes anything.
void Batch::ForgetDropped(const std::vector<const StoredTview*>& tviews) {
  const auto is_gone = [&](RelationId tview) {
    return std::none_of(tviews.begin(), tviews.end(),
                        [=](const StoredTview* stored) { return stored->relation == tview; });
  };
  for (BehindRow& row : database_.behind) {
    if (!database_.Sees(snapshot_, own_, row) || !is_gone(row.tview)) continue;
    if (own_ == 0) own_ = database_.Assign();
    row.xmax = own_;
    has_changed_ = true;
    for (OwedRow& owed : database_.owed) {
      if (owed.tview == row.tview && database_.Sees(snapshot_, own_, owed)) owed.xmax = own_;
    }
  }
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

std::vector<bool> Batch::FindReachable(const Coalescer& coalescer) const {
  std::vector<bool> reachable(graph_->order().size(), false);
  const auto mark = [&](RelationId relation) {
    for (const std::size_t position : graph_->Reachable(relation)) reachable[position] = true;
  };
  for (const RelationId relation : coalescer.ChangedRelations()) mark(relation);
  for (std::size_t i = 0; i < reachable.size(); ++i) {
    const RelationId tview = graph_->order()[i].relation;
    if (!standings_.IsBehind(tview) && !standings_.IsAccused(tview)) continue;
    reachable[i] = true;
    mark(tview);
  }
  return reachable;
}

// BatchLocks: for one that is not to be had, a batch waits once, without any other.
absl::Status Batch::TakeLocks(const std::vector<bool>& reachable) {
  for (std::size_t i = 0; i < reachable.size(); ++i) {
    const RelationId tview = graph_->order()[i].relation;
    if (!reachable[i]) continue;
    if (!world_->strong_locks.contains(tview)) {
      world_->row_locks[tview].push_back(own_);
      waited_for_.erase(tview);
    } else if (waited_for_.insert(tview).second) {
      is_contended_ = true;
      return absl::AbortedError("a lock is not to be had");
    }
  }
  return absl::OkStatus();
}

absl::Status Batch::RefreshAll(Coalescer* coalescer) {
  const std::vector<bool> reachable = FindReachable(*coalescer);
  for (std::size_t i = 0; i < reachable.size(); ++i) {
    const TviewDefinition& tview = graph_->order()[i];
    if (!reachable[i]) continue;
    const std::vector<FullXid>& holders = world_->row_locks[tview.relation];
    const bool is_locked = std::find(holders.begin(), holders.end(), own_) == holders.end();
    const std::string obstacle =
        is_locked ? "it is locked" : standings_.ObstacleTo(tview, *graph_, world_->now);
    if (obstacle.empty()) {
      TVIEWS_RETURN_IF_ERROR(Refresh(tview, coalescer));
      continue;
    }
    if (world_->traces()) {
      world_->Note(absl::StrCat("leaves ", TviewName(tview.relation), " aside: ", obstacle));
    }
    LeaveAside(tview, coalescer->DeltasFor(tview));
  }
  return absl::OkStatus();
}

// BehindTviews.
void Batch::LeaveAside(const TviewDefinition& tview, const DeltaSet& deltas) {
  DeltaSet own = worker::DeltasConcerning(tview, deltas);
  if (own.empty() && standings_.IsAccused(tview.relation)) own.MarkWhole(tview.relation);
  const auto leaving = standings_.LeaveAside(tview, !own.empty());
  if (!leaving.has_value()) return;
  has_changed_ = true;
  BehindRow row;
  for (BehindRow& stored : database_.behind) {
    if (stored.tview != tview.relation || !database_.Sees(snapshot_, own_, stored)) continue;
    row = stored;
    stored.xmax = own_;
  }
  if (row.tview == 0) {
    row.tview = tview.relation;
    row.is_at_fill = tview.fill.has_value();
    row.stands_at =
        row.is_at_fill ? tview.fill->snapshot : *database_.FrontierUnder(snapshot_, own_);
  }
  row.retry_at = leaving->retry_at;
  row.xmin = own_;
  row.xmax = 0;
  database_.behind.push_back(row);
  if (own.empty()) return;
  OwedRow owed;
  owed.xmin = own_;
  owed.tview = tview.relation;
  SerializeChangeRecord({.system_identifier = 7, .database = kOurs}, 1, own, &owed.payload);
  database_.owed.push_back(std::move(owed));
}

absl::StatusOr<DeltaSet> Batch::CatchUp(RelationId tview) {
  DeltaSet deltas;
  for (OwedRow& row : database_.owed) {
    if (row.tview != tview || !database_.Sees(snapshot_, own_, row)) continue;
    row.xmax = own_;
    TVIEWS_ASSIGN_OR_RETURN(ChangeRecord record, ParseChangeRecord(row.payload));
    deltas.Merge(std::move(record.deltas));
  }
  for (BehindRow& row : database_.behind) {
    if (row.tview == tview && database_.Sees(snapshot_, own_, row)) row.xmax = own_;
  }
  deltas.DegradeTo(world_->program->batch_memory);
  has_changed_ = true;
  standings_.CatchUp(tview);
  if (world_->traces()) world_->Note(absl::StrCat(TviewName(tview), " catches up"));
  return deltas;
}

absl::StatusOr<AffectedKeys> Batch::KeysFor(const TviewDefinition& tview, Coalescer* coalescer) {
  Children lookup(world_, snapshot_);
  const auto find = [&](const DeltaSet& deltas) {
    return worker::FindAffectedKeys(tview, deltas, lookup);
  };
  if (!standings_.IsBehind(tview.relation)) return find(coalescer->DeltasFor(tview));
  TVIEWS_ASSIGN_OR_RETURN(DeltaSet owed, CatchUp(tview.relation));
  if (owed.TakeWhole(tview.relation)) {
    AffectedKeys everything;
    everything.everything = true;
    return everything;
  }
  owed.Merge(coalescer->DeltasFor(tview));
  return find(owed);
}

absl::Status Batch::Refresh(const TviewDefinition& tview, Coalescer* coalescer) {
  refreshing_ = tview.relation;
  TVIEWS_ASSIGN_OR_RETURN(const AffectedKeys affected, KeysFor(tview, coalescer));
  if (!affected.empty()) {
    DeltaSet changes = Write(tview.relation, affected);
    TVIEWS_RETURN_IF_ERROR(world_->Point("mid_refresh"));
    coalescer->FoldRefreshed(std::move(changes), coalescer->OldestChangeFor(tview));
  }
  refreshing_ = 0;
  return absl::OkStatus();
}

// What goes wrong while a TVIEW is refreshed is its fault, in one way or another.
Batch::Failure Batch::AfterFailure(const absl::Status& status) {
  using worker::Ending;
  static constexpr Ending kEndings[] = {Ending::kShortage, Ending::kTimedOut, Ending::kPassing,
                                        Ending::kLockTimeout, Ending::kGaveWay};
  Failure failure;
  if (has_moved_) {
    failure.ending = Ending::kOutdated;
  } else if (is_contended_) {
    failure.ending = Ending::kLockInTheWay;
  } else if (refreshing_ != 0) {
    failure.ending = kEndings[world_->steps() % std::size(kEndings)];
    const std::string fault = standings_.Blame(
        refreshing_,
        {.ending = failure.ending, .error = std::string(status.message()), .spent = 100000},
        world_->now);
    failure.leaves_aside = !fault.empty();
  }
  return failure;
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
      const bool is_due = repetition_.is_due() || batch_.HasWork() || batch_.BehindDueMs() == 0;
      if (is_due && !slot.paused) RunBatch();
      Wait();
    }
  }

  void RunBatch() {
    const absl::Status status = batch_.Run();
    has_served_ = true;
    if (status.ok()) {
      repetition_.After(worker::Ending::kCommitted, world_->now, false);
      return;
    }
    world_->Note(absl::StrCat("the batch fails: ", status.message()));
    batch_.Abort();
    const Batch::Failure failure = batch_.AfterFailure(status);
    const worker::Repetition::Step step =
        repetition_.After(failure.ending, world_->now, failure.leaves_aside);
    if (step.next == worker::Next::kAwaitLock) {
      world_->Point("the applier waits for a lock").IgnoreError();
    }
  }

  void Wait() {
    const auto is_woken = [this] { return world_->applier_latch || world_->idle_timeout; };
    const long behind_due = batch_.BehindDueMs();
    if (world_->slot.paused) {
      world_->Await("the applier is paused", is_woken);
    } else if (repetition_.is_due()) {
      world_->Point("the applier backs off").IgnoreError();
      world_->now = std::max(world_->now, repetition_.until());
    } else if (behind_due >= 0 || batch_.MustPoll()) {
      world_->Sleep("the applier polls", is_woken);
    } else {
      world_->Await("the applier is idle", is_woken);
    }
    world_->applier_latch = false;
  }

  bool ShouldEnd() {
    const bool was_idle = std::exchange(world_->idle_timeout, false);
    if (world_->other_waits && has_served_) return ReleaseSlot();
    if (repetition_.is_due() || batch_.HasWork() || batch_.has_behind() || !was_idle) return false;
    world_->Point("before_release").IgnoreError();
    if (IsInFlight()) return false;
    FreeSlot(world_);
    world_->Note("gives the slot back");
    return true;
  }

  bool IsInFlight() const {
    const Slot& slot = world_->slot;
    return slot.paused || !slot.behind.empty() || slot.given_up != 0 ||
           world_->Queue().IsInFlight();
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
    const bool has_work = IsInFlight();
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
  worker::Repetition repetition_;
  bool has_served_ = false;  // it has had its turn
};

bool OutboxHasWork(World* world) {
  const Database& database = world->database;
  if (!database.Prepared().empty()) return true;
  world->Point("nothing is prepared").IgnoreError();
  const SnapshotBounds now = database.Take();
  const bool is_behind =
      std::any_of(database.behind.begin(), database.behind.end(),
                  [&](const BehindRow& row) { return database.Sees(now, 0, row); });
  return is_behind || !RecordsUnder(database, now, 0).empty();
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
