// What the current transaction has changed, until its change record is written.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status; the commit and abort callbacks cannot fail
//
// Deltas are held per subtransaction level (savepoint_deltas.h). At PRE_COMMIT, after the deferred
// triggers, the deltas become one change record: an outbox row, and an entry of the change queue
// published with the transaction's id. PRE_PREPARE does the same; its entry stays pending until the
// prepared transaction ends. COMMIT wakes the applier, ABORT voids the entry, PREPARE leaves it
// where it is.
//
// Collecting -> sealed (PRE_COMMIT or PRE_PREPARE has run) -> collecting (the transaction ended).
//
// (1) Records are written at the top level only, so a row's xmin is the transaction's own id.
// (2) A sealed transaction that changes sources nevertheless (another extension's PRE_COMMIT
//     callback, ATTACKS A17) writes a supplementary record at once.
// (3) Nothing after PRE_COMMIT allocates or raises.

#ifndef PG_TVIEWS_BACKEND_CAPTURE_TRANSACTION_H_
#define PG_TVIEWS_BACKEND_CAPTURE_TRANSACTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "shared/delta.h"
#include "shared/pg/shmem/change_queue.h"
#include "shared/savepoint_deltas.h"
#include "shared/types.h"

namespace tviews::backend {

// Called once, from _PG_init.
void RegisterTransactionCallbacks();

// Notes that `relation` changed in a way that no row trigger sees: for it, and for each of its
// ancestors, that a TVIEW reads. Nothing is noted for other relations.
absl::Status NoteWholeRelation(RelationId relation);

// The last committed transaction of this session that wrote a change record; 0 if none.
FullXid LastRecordedXid();
// Fails if this transaction has changed what TVIEWs read: those cannot follow before it commits.
// `doing` is what cannot be done, in words: "wait for the TVIEWs".
absl::Status CheckHasNoChanges(const std::string& doing);

// For COMMIT PREPARED of a transaction that wrote one.
void SetLastRecordedXid(FullXid xid);

class TransactionBuffer {
 public:
  // The buffer of this process.
  static TransactionBuffer& Instance();

  // Adds a source key of `source` at the current subtransaction level.
  absl::Status Add(RelationId source, const Layout& layout, std::string_view key);
  // The same for a row version that group states count (shared/delta.h): with its image, `weight`
  // times.
  absl::Status AddCounted(RelationId source, const Layout& layout, std::string_view key,
                          const std::vector<CapturedColumn>& image_columns, std::string_view image,
                          std::int64_t weight);
  absl::Status MarkWhole(RelationId source);

  // True if the transaction has changes that are not in a record yet.
  bool has_changes() const { return !deltas_.empty(); }

  absl::Status AtPreCommit();  // or PRE_PREPARE
  void AtCommit() noexcept;
  void AtAbort() noexcept;
  void AtPrepare() noexcept;
  void AtSubtransactionPreCommit(int nest_level);  // may throw for memory; see pg::Enter
  void AtSubtransactionCommit(int nest_level) noexcept;
  void AtSubtransactionAbort(int nest_level) noexcept;

 private:
  enum class State { kCollecting, kSealed };

  // The first of a sealed transaction's records keep their keys, later ones name whole relations.
  static constexpr std::size_t kRecordsWithKeys = 32;
  static constexpr std::size_t kMaxRecords = 128;

  absl::Status AfterAdding(RelationId source);
  absl::Status WriteRecord();
  void Reset() noexcept;

  State state_ = State::kCollecting;
  SavepointDeltas deltas_;        // not in a record yet
  std::size_t record_count_ = 0;  // in records_
  std::array<pg::PublishedRecord, kMaxRecords> records_;
  DeltaSet recorded_whole_;  // relations that a sealed transaction's records name as a whole
  FullXid last_recorded_xid_ = 0;
  friend FullXid LastRecordedXid();
  friend void SetLastRecordedXid(FullXid xid);
};

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_CAPTURE_TRANSACTION_H_
