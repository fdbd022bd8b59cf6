#include "worker/refresh/tview_refresh.h"

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/status_macros.h"
#include "worker/batch/quarantine.h"
#include "worker/refresh/key_values.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// So many failing keys in one batch are no longer single rows: the TVIEW fails as a whole.
constexpr std::size_t kMaxFailedKeys = 1000;

void AddCounts(const WriteCounts& from, WriteCounts* to) {
  to->inserted += from.inserted;
  to->updated += from.updated;
  to->deleted += from.deleted;
  to->unchanged += from.unchanged;
}

AffectedKeys KeysOf(const std::vector<std::string>& keys) {
  AffectedKeys affected;
  affected.keys.insert(keys.begin(), keys.end());
  return affected;
}

}  // namespace

bool TviewRefresh::IsReasonToRepeat(const absl::Status& error) const {
  return is_patient_ && pg::IsTransient(error);
}

absl::StatusOr<AffectedKeys> TviewRefresh::FindKeys(const DeltaSet& deltas) {
  if (!careful_) {
    return FindAffectedKeys(tview_, deltas, *executor_, [](const absl::Status&) { return true; });
  }
  // A lookup that fails names no keys: the whole TVIEW is compared instead (LINEAGE H).
  AffectedKeys found;
  const absl::Status status = pg::RunSubtransaction([&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(found, FindAffectedKeys(tview_, deltas, *executor_,
                                                    [](const absl::Status&) { return true; }));
    return absl::OkStatus();
  });
  if (status.ok()) return found;
  if (IsReasonToRepeat(status)) return status;
  AffectedKeys everything;
  everything.everything = true;
  everything.why = "a lookup failed: " + std::string(status.message());
  return everything;
}

absl::StatusOr<WriteCounts> TviewRefresh::Apply(const AffectedKeys& affected, DeltaSet* changes) {
  if (tview_.key_is_image_equal) return ApplyDistinct(affected, changes);
  TVIEWS_ASSIGN_OR_RETURN(const AffectedKeys distinct, MergeEqualKeys(tview_, affected));
  return ApplyDistinct(distinct, changes);
}

absl::StatusOr<WriteCounts> TviewRefresh::ApplyDistinct(const AffectedKeys& affected,
                                                        DeltaSet* changes) {
  if (careful_) return ApplyCarefully(affected, changes);
  return executor_->Refresh(tview_, affected, readers_, WriteMode::kInPlace, GetActiveSnapshot(),
                            changes);
}

// In a subtransaction; only what a successful one changed is cascaded.
absl::StatusOr<WriteCounts> TviewRefresh::Try(const AffectedKeys& affected, WriteMode mode,
                                              DeltaSet* changes) {
  WriteCounts counts{};
  DeltaSet own_changes;
  TVIEWS_RETURN_IF_ERROR(pg::RunSubtransaction([&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(counts, executor_->Refresh(tview_, affected, readers_, mode,
                                                       GetActiveSnapshot(), &own_changes));
    return Heal(tview_, affected);
  }));
  changes->Merge(own_changes);
  return counts;
}

absl::StatusOr<WriteCounts> TviewRefresh::ApplyCarefully(const AffectedKeys& affected,
                                                         DeltaSet* changes) {
  absl::StatusOr<WriteCounts> counts = Try(affected, WriteMode::kInPlace, changes);
  // Row by row, rows that exchange values of a unique column trip over each other.
  if (!counts.ok() && pg::HasSqlState(counts.status(), "23505")) {
    counts = Try(affected, WriteMode::kCollect, changes);
  }
  if (counts.ok() || IsReasonToRepeat(counts.status())) return counts;
  if (affected.everything || affected.keys.empty() || ConcernsDefinition(counts.status())) {
    failure_ = counts.status();
    if (!is_requested_) TVIEWS_RETURN_IF_ERROR(QuarantineWhole(tview_, failure_));
    return WriteCounts{};
  }
  const std::vector<std::string> keys(affected.keys.begin(), affected.keys.end());
  counts = ApplyHalves(keys, counts.status(), changes);
  if (!counts.ok() || conflicting_.empty() || !failure_.ok()) return counts;
  TVIEWS_ASSIGN_OR_RETURN(const WriteCounts rest, ApplyConflicting(changes));
  AddCounts(rest, &*counts);
  return counts;
}

// Each of these keys wants a value of a unique column that another row had. Now that the failing
// keys are known, all others have what they want, so these can have theirs together, or not at all.
absl::StatusOr<WriteCounts> TviewRefresh::ApplyConflicting(DeltaSet* changes) {
  std::vector<std::string> keys;
  for (const auto& [key, error] : conflicting_) keys.push_back(key);
  absl::StatusOr<WriteCounts> counts = Try(KeysOf(keys), WriteMode::kCollect, changes);
  if (counts.ok() || IsReasonToRepeat(counts.status())) return counts;
  for (const auto& [key, error] : conflicting_) TVIEWS_RETURN_IF_ERROR(Quarantine(key, error));
  return WriteCounts{};
}

absl::Status TviewRefresh::Quarantine(const std::string& key, const absl::Status& error) {
  if (!failure_.ok()) return absl::OkStatus();
  if (++failed_keys_ <= kMaxFailedKeys) return QuarantineKey(tview_, key, error);
  failure_ = error;
  return QuarantineWhole(tview_, error);
}

// `keys` have failed together with `error`.
absl::StatusOr<WriteCounts> TviewRefresh::ApplyHalves(const std::vector<std::string>& keys,
                                                      const absl::Status& error,
                                                      DeltaSet* changes) {
  if (!failure_.ok()) return WriteCounts{};
  if (keys.size() == 1) {
    if (pg::HasSqlState(error, "23505")) {
      conflicting_.emplace_back(keys[0], error);
    } else {
      TVIEWS_RETURN_IF_ERROR(Quarantine(keys[0], error));
    }
    return WriteCounts{};
  }
  WriteCounts total{};
  const auto middle = keys.begin() + static_cast<std::ptrdiff_t>(keys.size() / 2);
  for (const auto& half : {std::vector<std::string>(keys.begin(), middle),
                           std::vector<std::string>(middle, keys.end())}) {
    absl::StatusOr<WriteCounts> counts = Try(KeysOf(half), WriteMode::kInPlace, changes);
    if (!counts.ok() && IsReasonToRepeat(counts.status())) return counts;
    if (!counts.ok()) counts = ApplyHalves(half, counts.status(), changes);
    if (!counts.ok()) return counts;
    AddCounts(*counts, &total);
  }
  return total;
}

}  // namespace tviews::worker
