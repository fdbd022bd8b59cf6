// A small database: transactions, snapshots, row versions, what a crash leaves of them.
//
// Layer:   test
// Sharing: private to one run
// Errors:  cannot fail
//
// As in PostgreSQL: a transaction has committed in the log before snapshots see it; a snapshot's
// xmax is one beyond the last transaction that has ended, though later ones may have begun; a crash
// undoes what was committed asynchronously and not yet flushed; a prepared transaction outlives it.

#ifndef PG_TVIEWS_TEST_SIMULATION_DATABASE_H_
#define PG_TVIEWS_TEST_SIMULATION_DATABASE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "shared/outbox_row.h"
#include "shared/tview_definition.h"
#include "shared/types.h"

namespace tviews::simulation {

using Key = std::int32_t;
using Value = std::int64_t;
// Key and value of each row, ascending.
using Contents = std::vector<std::pair<Key, Value>>;

inline constexpr FullXid kBootstrap = 1;  // has loaded what is there at the beginning
inline constexpr FullXid kFirstXid = 100;

// A version of a row.
struct Version {
  FullXid xmin = 0;
  FullXid xmax = 0;  // 0: nobody has replaced or deleted it
};

struct SourceRow : Version {
  RelationId table = 0;
  Key key = 0;
  Key parent = 0;  // of a child
  std::int32_t value = 0;
  Key group = 0;  // of a child
};

struct Document : Version {
  RelationId tview = 0;
  Key key = 0;
  Value value = 0;
};

struct OutboxEntry : Version {
  RowPointer place;
  std::string payload;
};

struct StoredFrontier {
  FullXid xmin = 0;
  SnapshotBounds bounds;
};

// A TVIEW that a batch has left aside, and what it owes.
struct BehindRow : Version {
  RelationId tview = 0;
  SnapshotBounds stands_at;
  bool is_at_fill = false;  // where nothing says which frontier that of a nested TVIEW is
  Timestamp retry_at = 0;
};

struct OwedRow : Version {
  RelationId tview = 0;
  std::string payload;
};

// What a lane is owed: changes that the main one's batches took out of the outbox.
struct LaneOwedRow : Version {
  SnapshotBounds bounds;
  std::string payload;
};

struct StoredTview {
  FullXid creator = 0;
  FullXid dropper = 0;
  FullXid fill_cleared_by = 0;
  RelationId relation = 0;
  Fill fill;
};

class Database {
 public:
  // --- Transactions
  FullXid Assign();
  void Commit(FullXid xid, bool is_flushed);  // in the log
  void Prepare(FullXid xid);                  // flushed
  void Abort(FullXid xid);
  void End(FullXid xid);  // snapshots see it from now on
  // Everything in progress aborts, and all commits beyond the flushed ones and `survivors` more.
  void Crash(std::size_t survivors);

  FullXid next_xid() const { return kFirstXid + transactions_.size(); }
  bool HasCommitted(FullXid xid) const;
  bool HasAborted(FullXid xid) const;
  bool IsRunning(FullXid xid) const;  // or being ended, or prepared
  bool IsPrepared(FullXid xid) const;
  std::vector<FullXid> Prepared() const;  // until their end is seen

  // --- Snapshots
  SnapshotBounds Take() const;
  bool Sees(const SnapshotBounds& snapshot, FullXid own, FullXid xid) const;
  bool Sees(const SnapshotBounds& snapshot, FullXid own, const Version& version) const;
  // A snapshot that is in use keeps what it sees from vacuum.
  void Hold(const SnapshotBounds* snapshot) { held_.push_back(snapshot); }
  void Release(const SnapshotBounds* snapshot) { std::erase(held_, snapshot); }
  void ReleaseAll() { held_.clear(); }

  // --- Contents
  std::vector<SourceRow> rows;
  std::vector<Document> documents;
  std::vector<OutboxEntry> outbox;
  std::vector<StoredFrontier> frontiers;
  std::vector<StoredTview> tviews;
  std::vector<BehindRow> behind;
  std::vector<OwedRow> owed;
  std::vector<LaneOwedRow> lane_owed;
  std::vector<StoredFrontier> lane_frontiers;

  // Its row version, to be replaced: the one that `snapshot` sees, unless another transaction has
  // it locked.
  SourceRow* FindToChange(const SnapshotBounds& snapshot, FullXid own, RelationId table, Key key);
  const BehindRow* BehindUnder(const SnapshotBounds& snapshot, FullXid own, RelationId tview) const;
  RowPointer InsertOutbox(FullXid xid, std::string payload);
  void VacuumOutbox();
  const SnapshotBounds* FrontierUnder(const SnapshotBounds& snapshot, FullXid own) const;
  const SnapshotBounds* LaneFrontierUnder(const SnapshotBounds& snapshot, FullXid own) const;

 private:
  const SnapshotBounds* LastUnder(const std::vector<StoredFrontier>& stored,
                                  const SnapshotBounds& snapshot, FullXid own) const;
  enum class State : std::uint8_t { kRunning, kPrepared, kCommitted, kAborted };
  struct Transaction {
    State state = State::kRunning;
    bool has_ended = false;
    bool was_prepared = false;
  };
  Transaction& At(FullXid xid) { return transactions_[xid - kFirstXid]; }
  const Transaction& At(FullXid xid) const { return transactions_[xid - kFirstXid]; }
  FullXid Horizon() const;

  std::vector<Transaction> transactions_;
  std::vector<FullXid> commits_;  // in the order of the log
  std::size_t flushed_ = 0;       // of commits_
  FullXid last_ended_ = kFirstXid - 1;
  std::vector<const SnapshotBounds*> held_;
};

}  // namespace tviews::simulation

#endif  // PG_TVIEWS_TEST_SIMULATION_DATABASE_H_
