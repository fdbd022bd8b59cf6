#include "backend/capture/transaction.h"

#include <algorithm>
#include <string>
#include <utility>

#include "shared/change_record.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/cache_stats.h"
#include "shared/pg/shmem/session_notes.h"
#include "shared/pg/tables/capture_config.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/outbox.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <access/xact.h>
#include <access/xlog.h>
#include <miscadmin.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr int kTopLevel = 1;
// A record is one value of the outbox and has to stay below the server's limit of 1 GB.
constexpr std::size_t kLargestRecord = std::size_t{512} * 1024 * 1024;

void AtTransactionEvent(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
      pg::Enter<bool>([]() -> absl::StatusOr<bool> {
        TVIEWS_RETURN_IF_ERROR(TransactionBuffer::Instance().AtPreCommit());
        return true;
      });
      break;
    case XACT_EVENT_COMMIT:
      pg::EnterQuietly([] { TransactionBuffer::Instance().AtCommit(); });
      break;
    case XACT_EVENT_ABORT:
      pg::EnterQuietly([] { TransactionBuffer::Instance().AtAbort(); });
      break;
    case XACT_EVENT_PREPARE:
      pg::EnterQuietly([] { TransactionBuffer::Instance().AtPrepare(); });
      break;
    case XACT_EVENT_PARALLEL_PRE_COMMIT:
    case XACT_EVENT_PARALLEL_COMMIT:
    case XACT_EVENT_PARALLEL_ABORT:
      break;  // parallel workers do not write
  }
}

// The last moment of a subtransaction that may fail is PRE_COMMIT_SUB: an error at COMMIT_SUB would
// abort what has been committed already.
void AtSubtransactionEvent(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  const int nest_level = GetCurrentTransactionNestLevel();
  switch (event) {
    case SUBXACT_EVENT_PRE_COMMIT_SUB:
      pg::Enter<bool>([nest_level]() -> absl::StatusOr<bool> {
        TransactionBuffer::Instance().AtSubtransactionPreCommit(nest_level);
        TVIEWS_RETURN_IF_ERROR(pg::PausePoint("before_release_savepoint"));
        return true;
      });
      break;
    case SUBXACT_EVENT_COMMIT_SUB:
      pg::EnterQuietly(
          [nest_level] { TransactionBuffer::Instance().AtSubtransactionCommit(nest_level); });
      break;
    case SUBXACT_EVENT_ABORT_SUB:
      pg::EnterQuietly(
          [nest_level] { TransactionBuffer::Instance().AtSubtransactionAbort(nest_level); });
      break;
    case SUBXACT_EVENT_START_SUB:
      break;
  }
}

absl::Status TooLate() {
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "source tables of TVIEWs cannot be changed this late in a commit",
       .detail = "The transaction's change record has been written already.",
       .hint = "An extension changes tables in its own commit callback: too many of "
               "them, or in a subtransaction."});
}

}  // namespace

void RegisterTransactionCallbacks() {
  RegisterXactCallback(AtTransactionEvent, nullptr);
  RegisterSubXactCallback(AtSubtransactionEvent, nullptr);
}

absl::Status NoteWholeRelation(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::CaptureConfig* const config, pg::CaptureConfigOf(relation));
  for (const pg::CaptureTarget& target : config->targets) {
    TVIEWS_RETURN_IF_ERROR(TransactionBuffer::Instance().MarkWhole(target.source));
  }
  return absl::OkStatus();
}

absl::Status CheckHasNoChanges(const std::string& doing) {
  if (!TransactionBuffer::Instance().has_changes()) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "cannot " + doing + " in a transaction that has changed source tables",
       .detail = "TVIEWs follow a transaction when it has committed.",
       .hint = "Commit the transaction first.",
       .sqlstate = "25001"});
}

FullXid LastRecordedXid() { return TransactionBuffer::Instance().last_recorded_xid_; }
void SetLastRecordedXid(FullXid xid) { TransactionBuffer::Instance().last_recorded_xid_ = xid; }

TransactionBuffer& TransactionBuffer::Instance() {
  static NoDestructor<TransactionBuffer> instance;
  return *instance;
}

absl::Status TransactionBuffer::Add(RelationId source, const Layout& layout, std::string_view key) {
  if (state_ != State::kCollecting && record_count_ >= kRecordsWithKeys) return MarkWhole(source);
  if (!deltas_.Add(GetCurrentTransactionNestLevel(), source, layout, key)) return absl::OkStatus();
  return AfterAdding(source);
}

absl::Status TransactionBuffer::AddCounted(RelationId source, const Layout& layout,
                                           std::string_view key,
                                           const std::vector<CapturedColumn>& image_columns,
                                           std::string_view image, std::int64_t weight) {
  if (state_ != State::kCollecting && record_count_ >= kRecordsWithKeys) return MarkWhole(source);
  const int level = GetCurrentTransactionNestLevel();
  deltas_.AddCounted(level, source, layout, key);
  deltas_.AddImage(level, source, image_columns, image, weight);
  return AfterAdding(source);
}

absl::Status TransactionBuffer::MarkWhole(RelationId source) {
  if (state_ != State::kCollecting) {
    if (recorded_whole_.Find(source) != nullptr) return absl::OkStatus();
    recorded_whole_.MarkWhole(source);
  }
  deltas_.MarkWhole(GetCurrentTransactionNestLevel(), source);
  return AfterAdding(source);
}

absl::Status TransactionBuffer::AfterAdding(RelationId source) {
  deltas_.KeepWithin(static_cast<std::size_t>(pg::settings::transaction_memory) * 1024);
  if (state_ == State::kCollecting) {
    pg::session_notes::NoteChange(source, deltas_.key_count());
    return absl::OkStatus();
  }
  if (deltas_.highest_level() > kTopLevel) return TooLate();
  return WriteRecord();
}

absl::Status TransactionBuffer::WriteRecord() {
  // A failure below leaves the buffer without them, and the transaction aborts.
  DeltaSet deltas = deltas_.TakeAll();
  deltas.DegradeTo(kLargestRecord);
  // Dropped in this transaction after the changes: nobody is left to tell.
  TVIEWS_ASSIGN_OR_RETURN(const Oid32 schema, pg::ExtensionSchema());
  if (schema == 0) return absl::OkStatus();

  const Origin origin{.system_identifier = GetSystemIdentifier(), .database = MyDatabaseId};
  const Timestamp now = GetCurrentTimestamp();
  std::string payload;
  SerializeChangeRecord(origin, now, deltas, &payload);
  TVIEWS_ASSIGN_OR_RETURN(const RowPointer row, pg::Outbox::Insert(payload));
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("after_outbox"));

  if (record_count_ == kMaxRecords) return TooLate();
  // The row has given the transaction its id.
  const FullXid xid = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
  const FrameContent content{.xid = xid,
                             .outbox_row = row,
                             .published_at = now,
                             .pid = MyProcPid,
                             .source_keys = static_cast<std::uint32_t>(deltas.key_count()),
                             .record_bytes = static_cast<std::uint32_t>(payload.size()),
                             .payload = payload};
  records_[record_count_++] = pg::change_queue::Publish(MyDatabaseId, content);
  return absl::OkStatus();
}

absl::Status TransactionBuffer::AtPreCommit() {
  state_ = State::kSealed;
  if (deltas_.empty()) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(WriteRecord());
  pg::session_notes::Clear();
  return pg::PausePoint("after_publish");
}

void TransactionBuffer::AtCommit() noexcept {
  if (record_count_ > 0) pg::PausePointInCommit("after_commit");
  for (std::size_t i = 0; i < record_count_; ++i) {
    last_recorded_xid_ = records_[i].xid;
    pg::change_queue::AtCommit(&records_[i]);
  }
  Reset();
}

void TransactionBuffer::AtAbort() noexcept {
  for (std::size_t i = 0; i < record_count_; ++i) pg::change_queue::AtAbort(&records_[i]);
  Reset();
}

void TransactionBuffer::AtPrepare() noexcept {
  for (std::size_t i = 0; i < record_count_; ++i) pg::change_queue::AtCommit(&records_[i]);
  Reset();
}

void TransactionBuffer::AtSubtransactionPreCommit(int nest_level) {
  deltas_.BeginRelease(nest_level);
  pg::session_notes::NoteKeys(deltas_.key_count());
}

void TransactionBuffer::AtSubtransactionCommit(int nest_level) noexcept {
  deltas_.EndRelease(nest_level);
}

void TransactionBuffer::AtSubtransactionAbort(int nest_level) noexcept {
  deltas_.RollBack(nest_level);
  pg::session_notes::NoteKeys(deltas_.key_count());
}

void TransactionBuffer::Reset() noexcept {
  state_ = State::kCollecting;
  deltas_.Clear();
  pg::session_notes::Clear();
  pg::cache_stats::Flush();
  record_count_ = 0;
  recorded_whole_.Clear();
}

}  // namespace tviews::backend
