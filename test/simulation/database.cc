#include "database.h"

#include <algorithm>

namespace tviews::simulation {
namespace {

// Two rows a page: places are used again soon.
constexpr std::uint16_t kRowsPerBlock = 2;

}  // namespace

FullXid Database::Assign() {
  transactions_.emplace_back();
  return next_xid() - 1;
}

void Database::Commit(FullXid xid, bool is_flushed) {
  At(xid).state = State::kCommitted;
  commits_.push_back(xid);
  if (is_flushed) flushed_ = commits_.size();
}

void Database::Prepare(FullXid xid) {
  At(xid).state = State::kPrepared;
  At(xid).was_prepared = true;
  flushed_ = commits_.size();
}

void Database::Abort(FullXid xid) {
  At(xid).state = State::kAborted;
  End(xid);
}

void Database::End(FullXid xid) {
  At(xid).has_ended = true;
  last_ended_ = std::max(last_ended_, xid);
}

void Database::Crash(std::size_t survivors) {
  const std::size_t durable = std::min(commits_.size(), flushed_ + survivors);
  for (std::size_t i = durable; i < commits_.size(); ++i) At(commits_[i]).state = State::kAborted;
  commits_.resize(durable);
  flushed_ = durable;
  for (Transaction& transaction : transactions_) {
    if (transaction.state == State::kRunning) transaction.state = State::kAborted;
    transaction.has_ended = transaction.state != State::kPrepared;
  }
  last_ended_ = next_xid() - 1;
  held_.clear();
}

bool Database::HasCommitted(FullXid xid) const {
  return xid < kFirstXid || At(xid).state == State::kCommitted;
}

bool Database::HasAborted(FullXid xid) const {
  return xid >= kFirstXid && At(xid).state == State::kAborted;
}

bool Database::IsRunning(FullXid xid) const { return xid >= kFirstXid && !At(xid).has_ended; }

bool Database::IsPrepared(FullXid xid) const {
  return xid >= kFirstXid && At(xid).state == State::kPrepared;
}

std::vector<FullXid> Database::Prepared() const {
  std::vector<FullXid> prepared;
  for (FullXid xid = kFirstXid; xid < next_xid(); ++xid) {
    if (At(xid).was_prepared && !At(xid).has_ended) prepared.push_back(xid);
  }
  return prepared;
}

SnapshotBounds Database::Take() const {
  SnapshotBounds bounds;
  bounds.xmax = last_ended_ + 1;
  bounds.xmin = bounds.xmax;
  for (FullXid xid = kFirstXid; xid < bounds.xmax; ++xid) {
    if (At(xid).has_ended) continue;
    bounds.xmin = std::min(bounds.xmin, xid);
    bounds.in_progress.push_back(xid);
  }
  return bounds;
}

bool Database::Sees(const SnapshotBounds& snapshot, FullXid own, FullXid xid) const {
  if (xid == own && own != 0) return true;
  return xid < kFirstXid || (snapshot.Includes(xid) && HasCommitted(xid));
}

bool Database::Sees(const SnapshotBounds& snapshot, FullXid own, const Version& version) const {
  return Sees(snapshot, own, version.xmin) &&
         (version.xmax == 0 || !Sees(snapshot, own, version.xmax));
}

SourceRow* Database::FindToChange(const SnapshotBounds& snapshot, FullXid own, RelationId table,
                                  Key key) {
  for (SourceRow& row : rows) {
    if (row.table != table || row.key != key || !Sees(snapshot, own, row)) continue;
    const bool is_free = row.xmax == 0 || HasAborted(row.xmax);
    return is_free ? &row : nullptr;
  }
  return nullptr;
}

const BehindRow* Database::BehindUnder(const SnapshotBounds& snapshot, FullXid own,
                                       RelationId tview) const {
  for (const BehindRow& row : behind) {
    if (row.tview == tview && Sees(snapshot, own, row)) return &row;
  }
  return nullptr;
}

RowPointer Database::InsertOutbox(FullXid xid, std::string payload) {
  RowPointer place{.block = 0, .offset = 1};
  for (;;) {
    const bool is_taken = std::any_of(outbox.begin(), outbox.end(),
                                      [&](const OutboxEntry& row) { return row.place == place; });
    if (!is_taken) break;
    if (place.offset++ == kRowsPerBlock) place = {.block = place.block + 1, .offset = 1};
  }
  OutboxEntry row;
  row.xmin = xid;
  row.place = place;
  row.payload = std::move(payload);
  outbox.push_back(std::move(row));
  return place;
}

FullXid Database::Horizon() const {
  FullXid horizon = Take().xmin;
  for (const SnapshotBounds* const snapshot : held_) horizon = std::min(horizon, snapshot->xmin);
  return horizon;
}

// What it removes outlives a crash only with the log up to there.
void Database::VacuumOutbox() {
  flushed_ = commits_.size();
  const FullXid horizon = Horizon();
  std::erase_if(outbox, [&](const OutboxEntry& row) {
    return HasAborted(row.xmin) || (row.xmax != 0 && HasCommitted(row.xmax) && row.xmax < horizon);
  });
}

const SnapshotBounds* Database::LastUnder(const std::vector<StoredFrontier>& stored,
                                          const SnapshotBounds& snapshot, FullXid own) const {
  for (auto frontier = stored.rbegin(); frontier != stored.rend(); ++frontier) {
    if (Sees(snapshot, own, frontier->xmin)) return &frontier->bounds;
  }
  return nullptr;
}

const SnapshotBounds* Database::FrontierUnder(const SnapshotBounds& snapshot, FullXid own) const {
  return LastUnder(frontiers, snapshot, own);
}

const SnapshotBounds* Database::LaneFrontierUnder(const SnapshotBounds& snapshot,
                                                  FullXid own) const {
  return LastUnder(lane_frontiers, snapshot, own);
}

}  // namespace tviews::simulation
