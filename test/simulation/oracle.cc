#include "oracle.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tviews::simulation {
namespace {

void AddRow(Database* database, RelationId table, Key key, Key parent, std::int32_t value) {
  SourceRow row;
  row.xmin = kBootstrap;
  row.table = table;
  row.key = key;
  row.parent = parent;
  row.value = value;
  row.group = parent;
  database->rows.push_back(row);
}

void Fill(Database* database, RelationId tview) {
  StoredTview stored;
  stored.creator = kBootstrap;
  stored.fill_cleared_by = kBootstrap;
  stored.relation = tview;
  database->tviews.push_back(stored);
  for (const auto& [key, value] : Query(*database, tview, database->Take())) {
    Document document;
    document.xmin = kBootstrap;
    document.tview = tview;
    document.key = key;
    document.value = value;
    database->documents.push_back(document);
  }
}

std::string Text(const Contents& contents) {
  return absl::StrCat("{", absl::StrJoin(contents, ", ", absl::PairFormatter(": ")), "}");
}

std::string Text(const SnapshotBounds& bounds) {
  return absl::StrCat(bounds.xmin, ":", bounds.xmax, ":", absl::StrJoin(bounds.in_progress, ","));
}

void CompareContents(World* world, const char* when, RelationId tview, const Contents& stored,
                     const Contents& expected) {
  if (stored == expected) return;
  world->Fail(absl::StrCat(when, ": ", TviewName(tview), " shows ", Text(stored),
                           ", its query gives ", Text(expected)));
}

// A TVIEW that is left aside stands where the table says.
void CompareAt(World* world, const char* when, RelationId tview, const BehindRow* behind,
               const Contents& stored, const SnapshotBounds& frontier) {
  if (behind != nullptr && behind->is_at_fill && tview == kTvOver) return;
  const SnapshotBounds& bounds = behind == nullptr ? frontier : behind->stands_at;
  CompareContents(world, when, tview, stored, Query(world->database, tview, bounds));
}

// True if all that `earlier` has seen of committed transactions, `later` sees too.
bool IncludesAll(const Database& database, const SnapshotBounds& later,
                 const SnapshotBounds& earlier) {
  for (FullXid xid = kFirstXid; xid < earlier.xmax; ++xid) {
    if (earlier.Includes(xid) && database.HasCommitted(xid) && !later.Includes(xid)) return false;
  }
  return true;
}

// Copied from run to run.
Database MakeInitialState() {
  Database made;
  Database* const database = &made;
  for (Key key = 1; key <= kParents; ++key) AddRow(database, kParent, key, 0, key);
  for (Key key = 1; key < kChildren; ++key) AddRow(database, kChild, key, 1 + key % 2, 10 * key);
  for (const RelationId tview : {kTvParent, kTvChild, kTvNested, kTvTotal}) Fill(database, tview);
  // The applier of the main lane does not know them.
  for (const RelationId tview : {kTvLaneParent, kTvLaneTotal}) Fill(database, tview);
  std::erase_if(database->tviews, [](const StoredTview& stored) {
    return stored.relation == kTvLaneParent || stored.relation == kTvLaneTotal;
  });
  database->lane_frontiers.push_back({.xmin = kBootstrap, .bounds = database->Take()});
  database->frontiers.push_back({.xmin = kBootstrap, .bounds = database->Take()});
  return made;
}

}  // namespace

void LoadInitialState(Database* database) {
  static const auto* const initial = new Database(MakeInitialState());
  *database = *initial;
}

std::vector<const StoredTview*> TviewsUnder(const Database& database,
                                            const SnapshotBounds& snapshot, FullXid own) {
  std::vector<const StoredTview*> tviews;
  for (const StoredTview& stored : database.tviews) {
    const bool is_dropped = stored.dropper != 0 && database.Sees(snapshot, own, stored.dropper);
    if (database.Sees(snapshot, own, stored.creator) && !is_dropped) tviews.push_back(&stored);
  }
  return tviews;
}

std::vector<FullXid> RecordsUnder(const Database& database, const SnapshotBounds& snapshot,
                                  FullXid own) {
  std::vector<FullXid> xids;
  for (const OutboxEntry& row : database.outbox) {
    if (database.Sees(snapshot, own, row)) xids.push_back(row.xmin);
  }
  std::sort(xids.begin(), xids.end());
  xids.erase(std::unique(xids.begin(), xids.end()), xids.end());
  return xids;
}

void CheckLane(World* world, const char* when, const SnapshotBounds& snapshot, FullXid own,
               const SnapshotBounds& as_of) {
  if (!world->program->has_lane) return;
  for (const RelationId tview : {kTvLaneParent, kTvLaneTotal}) {
    CompareContents(world, when, tview, Stored(world->database, tview, snapshot, own),
                    Query(world->database, tview, as_of));
  }
}

namespace {

// Includes what one of them includes.
SnapshotBounds Union(const SnapshotBounds& one, const SnapshotBounds& other) {
  SnapshotBounds both;
  both.xmin = std::min(one.xmin, other.xmin);
  both.xmax = std::max(one.xmax, other.xmax);
  for (FullXid xid = both.xmin; xid < both.xmax; ++xid) {
    if (!one.Includes(xid) && !other.Includes(xid)) both.in_progress.push_back(xid);
  }
  return both;
}

// The lane stands at its own frontier; what is not in that, and was waited for, is no news to it.
void CheckReadOfLane(World* world, const SnapshotBounds& snapshot,
                     const std::vector<FullXid>& required, const SnapshotBounds* since) {
  if (!world->program->has_lane) return;
  const SnapshotBounds* const frontier = world->database.LaneFrontierUnder(snapshot, 0);
  if (frontier == nullptr) return world->Fail("there is no frontier of the lane");
  CheckLane(world, "a session reads the lane", snapshot, 0, *frontier);
  SnapshotBounds expected = *frontier;
  for (const FullXid xid : required) {
    if (expected.Includes(xid)) continue;
    SnapshotBounds alone = {.xmin = kFirstXid, .xmax = xid + 1, .in_progress = {}};
    for (FullXid other = kFirstXid; other < xid; ++other) alone.in_progress.push_back(other);
    expected = Union(expected, alone);
  }
  if (since != nullptr) expected = Union(expected, *since);
  CheckLane(world, "a session that has waited reads the lane", snapshot, 0, expected);
}

}  // namespace

void CheckBatch(World* world, const BatchFacts& facts) {
  const Database& database = world->database;
  if (facts.folded != facts.expected) {
    world->Fail(absl::StrCat("a batch under ", Text(facts.snapshot), " has applied [",
                             absl::StrJoin(facts.folded, ", "), "], its snapshot sees [",
                             absl::StrJoin(facts.expected, ", "), "]"));
  }
  for (const StoredTview* const tview : TviewsUnder(database, facts.snapshot, facts.own)) {
    const RelationId relation = tview->relation;
    const BehindRow* const behind = database.BehindUnder(facts.snapshot, facts.own, relation);
    CompareAt(world, "a batch is about to commit", relation, behind,
              Stored(database, relation, facts.snapshot, facts.own), facts.snapshot);
  }
  if (!RecordsUnder(database, facts.snapshot, facts.own).empty()) {
    world->Fail("a batch leaves a record in the outbox that it has applied");
  }
  const SnapshotBounds* const before = database.FrontierUnder(facts.snapshot, 0);
  if (before != nullptr && !IncludesAll(database, facts.snapshot, *before)) {
    world->Fail("the frontier goes back");
  }
}

void CheckRead(World* world, int session, const SnapshotBounds& snapshot,
               const std::vector<FullXid>& required, const SnapshotBounds* since) {
  CheckReadOfLane(world, snapshot, required, since);
  const Database& database = world->database;
  const SnapshotBounds* const frontier = database.FrontierUnder(snapshot, 0);
  if (frontier == nullptr) return world->Fail("there is no frontier");
  for (const StoredTview* const tview : TviewsUnder(database, snapshot, 0)) {
    const RelationId relation = tview->relation;
    const bool is_new =
        tview->fill_cleared_by == 0 || !database.Sees(snapshot, 0, tview->fill_cleared_by);
    if (is_new) continue;
    const BehindRow* const behind = database.BehindUnder(snapshot, 0, relation);
    CompareAt(world, "a session reads", relation, behind, Stored(database, relation, snapshot, 0),
              *frontier);
    if (behind != nullptr && behind->retry_at == 0) {
      for (const FullXid xid : required) {
        if (behind->stands_at.Includes(xid)) continue;
        world->Fail(absl::StrCat("a session reads ", TviewName(relation), " without transaction ",
                                 xid, " that it waited for"));
      }
    }
  }
  SnapshotBounds& before = world->sessions[session].read;
  if (!IncludesAll(database, *frontier, before)) world->Fail("a session reads backwards");
  before = *frontier;
  for (const FullXid xid : required) {
    if (!frontier->Includes(xid)) {
      world->Fail(absl::StrCat("a session does not see transaction ", xid, " that it waited for"));
    }
  }
}

void CheckAtRest(World* world) {
  const Database& database = world->database;
  const SnapshotBounds now = database.Take();
  if (!now.in_progress.empty()) return world->Fail("a transaction is left");
  for (const StoredTview* const tview : TviewsUnder(database, now, 0)) {
    const RelationId relation = tview->relation;
    if (database.BehindUnder(now, 0, relation) != nullptr) {
      world->Fail(absl::StrCat("at rest: ", TviewName(relation), " is behind"));
    }
    CompareContents(world, "at rest", relation, Stored(database, relation, now, 0),
                    Query(database, relation, now));
    if (tview->fill_cleared_by == 0 || !database.HasCommitted(tview->fill_cleared_by)) {
      world->Fail("at rest: a TVIEW waits for its first batch");
    }
  }
  if (!RecordsUnder(database, now, 0).empty()) world->Fail("at rest: a record is in the outbox");
  CheckLane(world, "at rest", now, 0, now);
  for (const LaneOwedRow& row : database.lane_owed) {
    if (database.Sees(now, 0, row)) world->Fail("at rest: the lane is owed something");
  }
  for (const BehindRow& row : database.behind) {
    if (database.Sees(now, 0, row)) world->Fail("at rest: a TVIEW that is gone is behind");
  }
  for (const OwedRow& row : database.owed) {
    if (database.Sees(now, 0, row)) world->Fail("at rest: a TVIEW that is gone owes something");
  }
}

}  // namespace tviews::simulation
