#include "shared/pg/server/snapshot.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <access/xact.h>
#include <storage/lwlock.h>
#include <storage/procarray.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// Further back, 32 bits do not name a transaction.
constexpr FullXid kRecentTransactions = FullXid{1} << 31;

}  // namespace

absl::StatusOr<Outcome> OutcomeUnder(SnapshotData* snapshot, FullXid xid, bool* forgotten) {
  Outcome outcome = Outcome::kAborted;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    const TransactionId short_xid = XidFromFullTransactionId(FullTransactionIdFromU64(xid));
    if (XidInMVCCSnapshot(short_xid, snapshot)) {
      outcome = Outcome::kInProgress;
      return;
    }
    // As pg_xact_status() does: the lock keeps the commit log from being cut while we look.
    LWLockAcquire(XactTruncationLock, LW_SHARED);
    if (TransactionIdPrecedes(short_xid, compat::OldestClogXid())) {
      *forgotten = true;
    } else if (TransactionIdDidCommit(short_xid)) {
      outcome = Outcome::kCommitted;
    }
    LWLockRelease(XactTruncationLock);
  }));
  return outcome;
}

FullXid WidenXid(std::uint32_t xid) {
  const FullTransactionId next = ReadNextFullTransactionId();
  std::uint64_t epoch = EpochFromFullTransactionId(next);
  if (xid > XidFromFullTransactionId(next)) --epoch;
  return (epoch << 32) | xid;
}

FullXid NextXid() { return U64FromFullTransactionId(ReadNextFullTransactionId()); }

bool IsInProgress(FullXid xid) {
  const FullXid next = NextXid();
  return next - xid < kRecentTransactions &&
         TransactionIdIsInProgress(XidFromFullTransactionId(FullTransactionIdFromU64(xid)));
}

bool HasSession(FullXid xid) {
  return BackendXidGetPid(XidFromFullTransactionId(FullTransactionIdFromU64(xid))) != 0;
}

SnapshotBounds BoundsOf(SnapshotData* snapshot) {
  SnapshotBounds bounds;
  bounds.xmin = WidenXid(snapshot->xmin);
  bounds.xmax = WidenXid(snapshot->xmax);
  bounds.in_progress.reserve(snapshot->xcnt);
  for (uint32 i = 0; i < snapshot->xcnt; ++i) {
    bounds.in_progress.push_back(WidenXid(snapshot->xip[i]));
  }
  std::sort(bounds.in_progress.begin(), bounds.in_progress.end());
  return bounds;
}

std::string FormatSnapshot(const SnapshotBounds& bounds) {
  return absl::StrCat(bounds.xmin, ":", bounds.xmax, ":", absl::StrJoin(bounds.in_progress, ","));
}

absl::StatusOr<SnapshotBounds> ParseSnapshot(std::string_view text) {
  const absl::Status malformed = MakeError(absl::StatusCode::kInvalidArgument,
                                           {.message = "malformed snapshot: " + std::string(text)});
  const std::vector<absl::string_view> parts =
      absl::StrSplit(absl::string_view(text.data(), text.size()), ':');
  SnapshotBounds bounds;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &bounds.xmin) ||
      !absl::SimpleAtoi(parts[1], &bounds.xmax)) {
    return malformed;
  }
  for (absl::string_view item : absl::StrSplit(parts[2], ',', absl::SkipEmpty())) {
    FullXid xid = 0;
    if (!absl::SimpleAtoi(item, &xid)) return malformed;
    bounds.in_progress.push_back(xid);
  }
  return bounds;
}

}  // namespace tviews::pg
