// A lane beside the main one: its applier, and what the main one does for it.

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "oracle.h"
#include "processes.h"
#include "shared/change_record.h"
#include "shared/source_key.h"
#include "shared/status_macros.h"
#include "worker/core/cascade.h"
#include "worker/core/coalescer.h"
#include "worker/core/lane_deltas.h"
#include "worker/core/queue_reader.h"

namespace tviews::simulation {
namespace {

const DependencyGraph& LaneGraph() {
  static const auto* const graph = [] {
    return new DependencyGraph(
        *DependencyGraph::Build({DefinitionOf(kTvLaneParent), DefinitionOf(kTvLaneTotal)}));
  }();
  return *graph;
}

// LaneOutbox.
class LaneOutbox : public worker::BatchOutbox {
 public:
  LaneOutbox(World* world, const SnapshotBounds& snapshot, SnapshotBounds frontier)
      : world_(world), snapshot_(snapshot), frontier_(std::move(frontier)) {}

  absl::StatusOr<Outcome> OutcomeOf(FullXid, bool*) override { return Outcome::kInProgress; }
  absl::Status Fetch(const OutboxRow&, Visit) override { return absl::OkStatus(); }
  absl::Status Delete(std::vector<OutboxRow>*) override { return absl::OkStatus(); }

  absl::Status Scan(Visit visit, absl::FunctionRef<void(const OutboxRow&)>) override {
    // By index: others add rows meanwhile.
    for (std::size_t i = 0; i < world_->database.lane_owed.size(); ++i) {
      const LaneOwedRow row = world_->database.lane_owed[i];
      if (!world_->database.Sees(snapshot_, 0, row)) continue;
      TVIEWS_RETURN_IF_ERROR(world_->Point("a row that the lane is owed"));
      has_owed_ = true;
      if (worker::IsWithin(row.bounds, frontier_)) continue;
      TVIEWS_RETURN_IF_ERROR(visit(std::numeric_limits<FullXid>::max(), row.payload));
    }
    TVIEWS_RETURN_IF_ERROR(world_->Point("before the lane scans the outbox"));
    for (const OutboxEntry& row : SeenInOutbox()) {
      TVIEWS_RETURN_IF_ERROR(world_->Point("a row of the lane's scan"));
      if (!frontier_.Includes(row.xmin)) TVIEWS_RETURN_IF_ERROR(visit(row.xmin, row.payload));
    }
    return absl::OkStatus();
  }

  absl::Status DeleteSeen() override {
    for (LaneOwedRow& row : world_->database.lane_owed) {
      if (world_->database.Sees(snapshot_, own_, row)) row.xmax = own_;
    }
    return absl::OkStatus();
  }

  bool has_owed() const { return has_owed_; }
  void SetOwn(FullXid own) { own_ = own; }

 private:
  std::vector<OutboxEntry> SeenInOutbox() const {
    std::vector<OutboxEntry> rows;
    for (const OutboxEntry& row : world_->database.outbox) {
      if (world_->database.Sees(snapshot_, 0, row)) rows.push_back(row);
    }
    return rows;
  }

  World* world_;
  const SnapshotBounds& snapshot_;
  SnapshotBounds frontier_;
  FullXid own_ = 0;
  bool has_owed_ = false;
};

class NoLock : public worker::QueueLock {
 public:
  void Shared(absl::FunctionRef<void()> body) override { body(); }
  void Exclusive(absl::FunctionRef<void()> body) override { body(); }
};

class NoLookup : public worker::KeyLookup {
 public:
  absl::Status Lookup(const TviewDefinition&, const SourceLineage&, const LineagePath&,
                      const std::vector<std::string>&,
                      absl::FunctionRef<void(std::optional<std::string_view>)>) override {
    return absl::InternalError("no lookup leads to the TVIEWs of the lane");
  }
  absl::Status Complete(const TviewDefinition&, const std::vector<std::size_t>&,
                        const std::vector<std::string>&,
                        absl::FunctionRef<void(std::string_view)>) override {
    return absl::InternalError("the simulation has no keys of several columns");
  }
  absl::Status CheckInterrupts() override { return absl::OkStatus(); }
};

// A batch of the lane, and its applier, which the launcher starts again at once.
class LaneApplier {
 public:
  explicit LaneApplier(World* world)
      : world_(world),
        database_(world->database),
        reader_(world->LaneQueue(), &lock_, worker::QueueReader::Finds::kByScan) {
    world_->LaneQueue().BeginApplier();
  }

  void Loop() {
    for (;;) {
      while (reader_.HasWork() || world_->lane_hurry) {
        const absl::Status status = Run();
        if (status.ok()) continue;
        world_->Note(absl::StrCat("the lane's batch fails: ", status.message()));
        Abort();
      }
      world_->Await("the lane is idle", [this] { return world_->lane_latch; });
      world_->lane_latch = false;
    }
  }

  void Abort() {
    database_.Release(&snapshot_);
    if (own_ != 0) database_.Abort(own_);
    own_ = 0;
  }

 private:
  absl::Status Run() {
    TVIEWS_RETURN_IF_ERROR(world_->Point("a batch of the lane begins"));
    world_->lane_hurry = false;
    reader_.BeforeSnapshot([this] { return database_.next_xid(); });
    TVIEWS_RETURN_IF_ERROR(world_->Point("before the lane's snapshot"));
    snapshot_ = database_.Take();
    database_.Hold(&snapshot_);
    TVIEWS_RETURN_IF_ERROR(world_->Point("lane_after_snapshot"));
    TVIEWS_RETURN_IF_ERROR(Apply());
    TVIEWS_RETURN_IF_ERROR(world_->Point("lane_before_commit"));
    Commit();
    reader_.AfterCommit([this] {
      world_->PointInCommit("before the lane's frontier is shown");
      world_->lane_frontier = snapshot_;
      world_->PointInCommit("before the lane's tickets are served");
    });
    return absl::OkStatus();
  }

  absl::Status Apply() {
    LaneOutbox outbox(world_, snapshot_, *database_.LaneFrontierUnder(snapshot_, 0));
    Coalescer coalescer(LaneGraph(), world_->program->batch_memory);
    TVIEWS_RETURN_IF_ERROR(
        reader_.Collect(&outbox, [&](FullXid xid, std::string_view payload) -> absl::Status {
          TVIEWS_ASSIGN_OR_RETURN(ChangeRecord record,
                                  ParseChangeRecord(payload, world_->program->batch_memory));
          coalescer.Fold(xid, std::move(record));
          return absl::OkStatus();
        }));
    TVIEWS_RETURN_IF_ERROR(world_->Point("lane_after_take"));
    if (coalescer.records() == 0 && !outbox.has_owed()) return absl::OkStatus();
    own_ = database_.Assign();
    for (const TviewDefinition& tview : LaneGraph().order()) {
      NoLookup lookup;
      TVIEWS_ASSIGN_OR_RETURN(const worker::AffectedKeys affected,
                              worker::FindAffectedKeys(tview, coalescer.DeltasFor(tview), lookup));
      Write(tview.relation, affected);
      TVIEWS_RETURN_IF_ERROR(world_->Point("lane_mid_refresh"));
    }
    TVIEWS_RETURN_IF_ERROR(world_->Point("lane_before_consume"));
    outbox.SetOwn(own_);
    TVIEWS_RETURN_IF_ERROR(reader_.DeleteConsumed(&outbox));
    CheckLane(world_, "a batch of the lane is about to commit", snapshot_, own_, snapshot_);
    database_.lane_frontiers.push_back({.xmin = own_, .bounds = snapshot_});
    return absl::OkStatus();
  }

  void Write(RelationId tview, const worker::AffectedKeys& affected) {
    const auto is_affected = [&](Key key) {
      return affected.everything || affected.keys.contains(Image(key));
    };
    for (Document& stored : database_.documents) {
      if (stored.tview != tview || !is_affected(stored.key)) continue;
      if (database_.Sees(snapshot_, own_, stored)) stored.xmax = own_;
    }
    for (const auto& [key, value] : Query(database_, tview, snapshot_)) {
      if (!is_affected(key)) continue;
      Document document;
      document.xmin = own_;
      document.tview = tview;
      document.key = key;
      document.value = value;
      database_.documents.push_back(document);
    }
  }

  void Commit() {
    database_.Release(&snapshot_);
    if (own_ == 0) return;
    database_.Commit(own_, false);
    world_->PointInCommit("the lane's batch is in the log");
    database_.End(own_);
    own_ = 0;
  }

  using Coalescer = worker::Coalescer;

  World* world_;
  Database& database_;
  NoLock lock_;
  worker::QueueReader reader_;
  SnapshotBounds snapshot_;
  FullXid own_ = 0;
};

}  // namespace

void RunLane(World* world) {
  for (;;) {
    LaneApplier applier(world);
    try {
      applier.Loop();
    } catch (const Ended&) {
      applier.Abort();
      world->lane_latch = true;
    }
  }
}

// LaneHandover::Write.
bool HandOver(World* world, const DeltaSet& deltas, const SnapshotBounds& snapshot, FullXid own) {
  if (!world->program->has_lane) return false;
  const DeltaSet concerning = worker::DeltasForLane(LaneGraph().order(), deltas, kMeta);
  if (concerning.empty()) return false;
  LaneOwedRow row;
  row.xmin = own;
  row.bounds = snapshot;
  SerializeChangeRecord({.system_identifier = 7, .database = kOurs}, 1, concerning, &row.payload);
  world->database.lane_owed.push_back(std::move(row));
  return true;
}

// KickLane.
void TellLane(World* world) {
  world->PointInCommit("before the lane is told");
  world->lane_counters.overflow.started.Add(1);
  world->lane_counters.overflow.finished.Add(1);
  world->lane_latch = true;
}

}  // namespace tviews::simulation
