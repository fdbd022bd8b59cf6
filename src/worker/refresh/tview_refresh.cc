#include "worker/refresh/tview_refresh.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/status_macros.h"
#include "worker/batch/batch_watch.h"
#include "worker/batch/quarantine.h"
#include "worker/core/halving.h"
#include "worker/refresh/key_values.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// A key that is left alone can stand in the way of another, which then fails in the next round.
constexpr int kMaxRounds = 10;

// So many keys of a TVIEW that fails are told apart.
constexpr std::size_t kMostKeysApart = 200000;

void AddCounts(const WriteCounts& from, WriteCounts* to) {
  to->inserted += from.inserted;
  to->updated += from.updated;
  to->deleted += from.deleted;
  to->unchanged += from.unchanged;
}

AffectedKeys KeysOf(absl::Span<const std::string> keys) {
  AffectedKeys affected;
  affected.keys.insert(keys.begin(), keys.end());
  return affected;
}

}  // namespace

// The keys of a set that has failed, tried in parts.
class TviewRefresh::Trial : public KeyTrial {
 public:
  Trial(TviewRefresh* refresh, DeltaSet* changes) : refresh_(*refresh), changes_(changes) {}

  absl::Status Try(absl::Span<const std::string> keys) override {
    TVIEWS_ASSIGN_OR_RETURN(const WriteCounts counts,
                            refresh_.Try(KeysOf(keys), WriteMode::kInPlace, changes_));
    AddCounts(counts, &total_);
    return absl::OkStatus();
  }
  bool EndsSearch(const absl::Status& error) const override {
    return refresh_.IsReasonToRepeat(error);
  }
  absl::Status Condemn(const std::string& key, const absl::Status& error) override {
    if (!pg::HasSqlState(error, "23505")) return refresh_.Quarantine(key, error);
    refresh_.conflicting_.emplace_back(key, error);
    return absl::OkStatus();
  }
  bool IsGivenUp() const override { return !refresh_.failure_.ok(); }

  const WriteCounts& total() const { return total_; }

 private:
  TviewRefresh& refresh_;
  DeltaSet* changes_;
  WriteCounts total_{};
};

bool TviewRefresh::IsReasonToRepeat(const absl::Status& error) const {
  return !error.ok() && !IsAgainstTheData(BatchWatch::EndingOf(error), trust_);
}

// The class of an error says little: a value that is the name of a table that is not there raises
// like a definition that reads one. So the definition is tried without rows.
absl::StatusOr<bool> TviewRefresh::ConcernsDefinition(const absl::Status& error) {
  if (!MayConcernDefinition(error)) return false;
  const absl::Status status =
      pg::RunSubtransaction([&] { return executor_->Probe(tview_, GetActiveSnapshot()); });
  if (IsReasonToRepeat(status)) return status;
  return !status.ok();
}

absl::StatusOr<AffectedKeys> TviewRefresh::FindKeys(const DeltaSet& deltas) {
  if (mode_ == BatchMode::kTogether) {
    return FindAffectedKeys(tview_, deltas, executor_->keys());
  }
  // A lookup that fails names no keys: the whole TVIEW is compared instead (LINEAGE H).
  AffectedKeys found;
  const absl::Status status = pg::RunSubtransaction([&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(found, FindAffectedKeys(tview_, deltas, executor_->keys()));
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
  if (mode_ == BatchMode::kApart) return ApplyApart(affected, changes);
  TVIEWS_ASSIGN_OR_RETURN(const AffectedKeys distinct, Distinct(affected));
  TVIEWS_ASSIGN_OR_RETURN(const WriteCounts counts,
                          executor_->Refresh(tview_, distinct, readers_, WriteMode::kInPlace,
                                             GetActiveSnapshot(), changes));
  if (affected.everything || !affected.MayConcernNullKey(tview_)) return counts;
  TVIEWS_ASSIGN_OR_RETURN(const bool has_null_key, executor_->keys().HasNullKey(tview_));
  if (has_null_key) return NullKey();
  return counts;
}

absl::StatusOr<AffectedKeys> TviewRefresh::Distinct(const AffectedKeys& affected) const {
  if (tview_.key_is_image_equal()) return affected;
  return MergeEqualKeys(tview_, affected);
}

absl::Status TviewRefresh::NullKey() const {
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "the defining query of TVIEW " + tview_.qualified_name +
                                   " returns a row whose key is null",
                        .sqlstate = "23502"});
}

// In a subtransaction; only what a successful one changed is cascaded.
absl::StatusOr<WriteCounts> TviewRefresh::Try(const AffectedKeys& affected, WriteMode mode,
                                              DeltaSet* changes) {
  WriteCounts counts{};
  DeltaSet own_changes;
  TVIEWS_RETURN_IF_ERROR(pg::RunSubtransaction([&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(counts, executor_->Refresh(tview_, affected, readers_, mode,
                                                       GetActiveSnapshot(), &own_changes));
    return affected.everything ? HealAll(tview_) : HealKeys(tview_, affected);
  }));
  changes->Merge(own_changes);
  return counts;
}

absl::StatusOr<WriteCounts> TviewRefresh::ApplyApart(const AffectedKeys& affected,
                                                     DeltaSet* changes) {
  if (affected.everything) return ApplyWhole(affected, changes);
  // Keys are compared by functions of their type, which fail like any other.
  AffectedKeys distinct;
  const absl::Status status = pg::RunSubtransaction([&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(distinct, Distinct(affected));
    return absl::OkStatus();
  });
  if (!status.ok()) return Fail(status);
  TVIEWS_ASSIGN_OR_RETURN(const WriteCounts counts, ApplyKeys(distinct, changes));
  if (affected.MayConcernNullKey(tview_)) TVIEWS_RETURN_IF_ERROR(CheckNullKey());
  return counts;
}

absl::StatusOr<WriteCounts> TviewRefresh::ApplyKeys(const AffectedKeys& affected,
                                                    DeltaSet* changes) {
  absl::StatusOr<WriteCounts> counts = Try(affected, WriteMode::kInPlace, changes);
  // Row by row, rows that exchange values of a unique column trip over each other.
  if (!counts.ok() && pg::HasSqlState(counts.status(), "23505")) {
    counts = Try(affected, WriteMode::kCollect, changes);
  }
  if (counts.ok()) return counts;
  if (IsReasonToRepeat(counts.status()) || affected.keys.empty()) return Fail(counts.status());
  TVIEWS_ASSIGN_OR_RETURN(const bool is_broken, ConcernsDefinition(counts.status()));
  if (is_broken) return Fail(counts.status());
  const std::vector<std::string> keys(affected.keys.begin(), affected.keys.end());
  Trial trial(this, changes);
  TVIEWS_RETURN_IF_ERROR(Halve(keys, counts.status(), &trial));
  WriteCounts total = trial.total();
  if (conflicting_.empty() || !failure_.ok()) return total;
  TVIEWS_ASSIGN_OR_RETURN(const WriteCounts rest, ApplyConflicting(changes));
  AddCounts(rest, &total);
  return total;
}

// The TVIEW fails as a whole, unless the batch is to be repeated.
absl::StatusOr<WriteCounts> TviewRefresh::Fail(const absl::Status& error) {
  if (IsReasonToRepeat(error)) return error;
  failure_ = error;
  if (!is_requested_) TVIEWS_RETURN_IF_ERROR(QuarantineWhole(tview_, error));
  return WriteCounts{};
}

absl::Status TviewRefresh::CheckNullKey() {
  if (!failure_.ok()) return absl::OkStatus();
  absl::Status error;
  const absl::Status status = pg::RunSubtransaction([&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(const bool has_null_key, executor_->keys().HasNullKey(tview_));
    if (!has_null_key) return HealNullKey(tview_);
    error = NullKey();
    return absl::OkStatus();
  });
  if (IsReasonToRepeat(status)) return status;
  if (!status.ok()) error = status;
  if (error.ok()) return absl::OkStatus();
  ++failed_keys_;
  if (is_requested_ && told_.ok()) told_ = error;
  return QuarantineNullKey(tview_, error);
}

// A comparison of the whole that fails, maybe for rows that cannot be written: then in rounds. A
// round goes on after a failing row and lists it; if it has listed any it is undone, and the next
// one leaves the stored rows of all these keys alone.
absl::StatusOr<WriteCounts> TviewRefresh::ApplyWhole(const AffectedKeys& everything,
                                                     DeltaSet* changes) {
  absl::StatusOr<WriteCounts> counts = Try(everything, WriteMode::kInPlace, changes);
  if (counts.ok()) return counts;
  absl::Status error = counts.status();
  RowFailures failures;
  for (int round = 0; round < kMaxRounds; ++round) {
    if (IsReasonToRepeat(error)) return error;
    const std::size_t known = failures.keys.size();
    DeltaSet own_changes;
    error = pg::RunSubtransaction([&]() -> absl::Status {
      TVIEWS_ASSIGN_OR_RETURN(counts, CompareAllBut(&failures, &own_changes));
      return failures.keys.size() == known ? absl::OkStatus() : failures.keys.back().second;
    });
    if (error.ok()) {
      changes->Merge(own_changes);
      TVIEWS_RETURN_IF_ERROR(QuarantineRows(failures));
      return counts;
    }
    if (failures.keys.size() == known || failures.are_too_many()) break;
  }
  return ApplyApart(error, changes);
}

// A query that raises does not say for which row. Where every change is traced to keys, each key is
// computed for itself, and so they are told apart.
absl::StatusOr<WriteCounts> TviewRefresh::ApplyApart(const absl::Status& error, DeltaSet* changes) {
  const bool has_keys = std::none_of(
      tview_.sources.begin(), tview_.sources.end(),
      [](const SourceLineage& source) { return source.strategy() == Strategy::kFull; });
  if (IsReasonToRepeat(error) || !has_keys) return Fail(error);
  TVIEWS_ASSIGN_OR_RETURN(const bool is_broken, ConcernsDefinition(error));
  if (is_broken) return Fail(error);
  AffectedKeys all;
  const absl::Status status = pg::RunSubtransaction([&]() -> absl::Status {
    TVIEWS_RETURN_IF_ERROR(executor_->keys().AllKeys(tview_, kMostKeysApart, &all.keys));
    TVIEWS_RETURN_IF_ERROR(AddQuarantined(tview_, &all));
    TVIEWS_ASSIGN_OR_RETURN(all, Distinct(all));
    return absl::OkStatus();
  });
  if (IsReasonToRepeat(status)) return status;
  if (!status.ok() || all.keys.size() > kMostKeysApart) return Fail(error);
  TVIEWS_ASSIGN_OR_RETURN(const WriteCounts counts, ApplyKeys(all, changes));
  if (!failure_.ok()) return counts;
  TVIEWS_RETURN_IF_ERROR(HealWhole(tview_));
  if (!tview_.key_is_not_null) TVIEWS_RETURN_IF_ERROR(CheckNullKey());
  return counts;
}

// One round: leaves the keys that are known to fail alone, and adds those that it finds.
absl::StatusOr<WriteCounts> TviewRefresh::CompareAllBut(RowFailures* failures, DeltaSet* changes) {
  SickKeys failing;
  for (const auto& [key, error] : failures->keys) failing.images.push_back(key);
  TVIEWS_ASSIGN_OR_RETURN(const KeySet left_alone, KeySet::Make(tview_, failing.images));
  TVIEWS_ASSIGN_OR_RETURN(const WriteCounts counts,
                          executor_->RefreshAllBut(tview_, left_alone, readers_,
                                                   GetActiveSnapshot(), changes, failures));
  failing.has_null_key = failures->has_null_key;
  TVIEWS_RETURN_IF_ERROR(HealAllBut(tview_, failing));
  return counts;
}

absl::Status TviewRefresh::QuarantineRows(const RowFailures& failures) {
  for (const auto& [key, error] : failures.keys) TVIEWS_RETURN_IF_ERROR(Quarantine(key, error));
  if (failures.has_null_key) {
    TVIEWS_RETURN_IF_ERROR(QuarantineNullKey(tview_, NullKey()));
    ++failed_keys_;
    if (is_requested_ && told_.ok()) told_ = NullKey();
  }
  return absl::OkStatus();
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
  if (++failed_keys_ <= kMaxFailedKeys) {
    if (is_requested_ && told_.ok()) {
      TVIEWS_ASSIGN_OR_RETURN(const std::string name, NameOfKey(tview_, key));
      told_ = pg::MakeError(absl::StatusCode::kAborted,
                            {.message = absl::StrCat("key ", name, ": ", error.message()),
                             .sqlstate = pg::SqlState(error).c_str()});
    }
    return QuarantineKey(tview_, key, error);
  }
  failure_ = error;
  return QuarantineWhole(tview_, error);
}

}  // namespace tviews::worker
