// What a batch takes from the queue and the outbox, where only the order of events makes a
// difference. The simulation covers the rest.

#include "worker/core/queue_reader.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tviews::worker {
namespace {

constexpr std::size_t kRingBytes = 1024;

class NoLock : public QueueLock {
 public:
  void Shared(absl::FunctionRef<void()> body) override { body(); }
  void Exclusive(absl::FunctionRef<void()> body) override { body(); }
};

// Rows and the ends of their transactions. Every batch sees what has ended.
class FakeOutbox : public BatchOutbox {
 public:
  absl::StatusOr<Outcome> OutcomeOf(FullXid xid, bool*) override {
    const auto end = ends_.find(xid);
    return end == ends_.end() ? Outcome::kInProgress : end->second;
  }
  absl::Status Fetch(const OutboxRow& row, Visit visit) override {
    return Find(row) == rows_.end() ? absl::OkStatus() : visit(row.xid, "");
  }
  absl::Status Scan(Visit visit, absl::FunctionRef<void(const OutboxRow&)> keep) override {
    for (const OutboxRow& row : rows_) {
      const absl::StatusOr<Outcome> outcome = OutcomeOf(row.xid, nullptr);
      if (*outcome == Outcome::kInProgress) keep(row);
      if (*outcome != Outcome::kCommitted) continue;
      if (const absl::Status status = visit(row.xid, ""); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  absl::Status Delete(std::vector<OutboxRow>* rows) override {
    for (const OutboxRow& row : *rows) {
      if (const auto found = Find(row); found != rows_.end()) rows_.erase(found);
    }
    return absl::OkStatus();
  }
  absl::Status DeleteSeen() override {
    std::erase_if(rows_, [&](const OutboxRow& row) { return ends_.contains(row.xid); });
    return absl::OkStatus();
  }

  void Insert(FullXid xid) { rows_.push_back({{1, static_cast<std::uint16_t>(xid)}, xid}); }
  void End(FullXid xid, Outcome outcome) { ends_[xid] = outcome; }
  std::size_t size() const { return rows_.size(); }

 private:
  std::vector<OutboxRow>::iterator Find(const OutboxRow& row) {
    return std::find_if(rows_.begin(), rows_.end(),
                        [&](const OutboxRow& known) { return known.xid == row.xid; });
  }

  std::vector<OutboxRow> rows_;
  std::map<FullXid, Outcome> ends_;
};

class QueueReaderTest : public testing::Test {
 protected:
  QueueReaderTest() : memory_(RecordRing::MemorySize(kRingBytes)) {
    RecordRing::Format(memory_.data(), kRingBytes);
    queue_.Begin();
    Batch();  // a new queue knows nothing of the outbox
  }

  // A transaction that found no room in the ring and was prepared: counted as finished, its row in
  // the outbox, its end still to come.
  void PrepareAsOverflow(FullXid xid) {
    outbox_.Insert(xid);
    counters_.overflow.started.Add(1);
    counters_.overflow.finished.Add(1);
    next_xid_ = xid + 1;
  }

  // The transactions whose records it takes.
  std::vector<FullXid> Batch() {
    std::vector<FullXid> taken;
    reader_.BeforeSnapshot([&] { return next_xid_; });
    const auto visit = [&](FullXid xid, std::string_view) {
      taken.push_back(xid);
      return absl::OkStatus();
    };
    EXPECT_TRUE(reader_.Collect(&outbox_, visit).ok());
    EXPECT_TRUE(reader_.DeleteConsumed(&outbox_).ok());
    reader_.AfterCommit([] {});
    return taken;
  }

  std::vector<std::uint64_t> memory_;
  QueueCounters counters_{};
  OverflowCounters unslotted_{};
  QueueState queue_{memory_.data(), &counters_, &unslotted_};
  NoLock lock_;
  QueueReader reader_{queue_, &lock_};
  FakeOutbox outbox_;
  FullXid next_xid_ = 100;
};

TEST_F(QueueReaderTest, PreparedTransactionIsTakenOnceItCommits) {
  PrepareAsOverflow(100);
  EXPECT_EQ(Batch(), std::vector<FullXid>{});
  EXPECT_TRUE(reader_.scanned());
  EXPECT_TRUE(reader_.HasUnended());
  EXPECT_EQ(Batch(), std::vector<FullXid>{});
  EXPECT_FALSE(reader_.scanned()) << "a prepared transaction makes batches scan the outbox";
  outbox_.End(100, Outcome::kCommitted);
  EXPECT_EQ(Batch(), std::vector<FullXid>{100});
  EXPECT_EQ(outbox_.size(), 0u);
  EXPECT_FALSE(reader_.HasUnended());
}

// None that began after it has ended: the snapshot of a server that is quiet then ends before it.
TEST_F(QueueReaderTest, PreparedTransactionsThatBeganLastAreKept) {
  PrepareAsOverflow(100);
  PrepareAsOverflow(101);
  EXPECT_EQ(Batch(), std::vector<FullXid>{});
  outbox_.End(101, Outcome::kCommitted);
  EXPECT_EQ(Batch(), std::vector<FullXid>{101});
  outbox_.End(100, Outcome::kAborted);
  EXPECT_EQ(Batch(), std::vector<FullXid>{});
  EXPECT_FALSE(reader_.HasUnended());
}

// It has begun after the counters were read, so another scan will meet it.
TEST_F(QueueReaderTest, TransactionThatBeginsDuringTheBatchIsFoundByAnotherScan) {
  PrepareAsOverflow(100);
  reader_.BeforeSnapshot([&] { return next_xid_; });
  PrepareAsOverflow(101);
  EXPECT_TRUE(
      reader_.Collect(&outbox_, [](FullXid, std::string_view) { return absl::OkStatus(); }).ok());
  reader_.AfterCommit([] {});
  EXPECT_EQ(counters_.kept.Load(), 1u);
  EXPECT_TRUE(reader_.HasWork());
  EXPECT_EQ(Batch(), std::vector<FullXid>{});
  EXPECT_TRUE(reader_.scanned());
  EXPECT_EQ(counters_.kept.Load(), 2u);
}

}  // namespace
}  // namespace tviews::worker
