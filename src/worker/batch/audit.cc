#include "worker/batch/audit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "shared/counted.h"
#include "shared/key_slices.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/stats.h"
#include "shared/status_macros.h"
#include "worker/batch/quarantine.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <common/pg_prng.h>
#include <miscadmin.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr int kMaxKeys = 100;                  // of one step
constexpr std::size_t kMaxRemembered = 10000;  // keys of one TVIEW that were repaired
constexpr Timestamp kRest = 19;                // times as long as a step took
constexpr Timestamp kSecond = 1000000;

int KeysPerStep() { return std::min(pg::settings::audit_rate, kMaxKeys); }

// Once a second, or as often as so many keys take.
Timestamp Interval() { return kSecond * KeysPerStep() / std::max(pg::settings::audit_rate, 1); }

bool IsAudited(const TviewDefinition& tview) {
  return !tview.is_quarantined && !tview.is_undetermined &&
         !pg::stats::HasRepeatedDifferences(MyDatabaseId, tview.relation);
}

void LogWarning(const std::string& text) {
  pg::Call([&] { ereport(WARNING, (errmsg_internal("%s", text.c_str()))); }).IgnoreError();
}

}  // namespace

long Audit::NextDueMs() const {
  if (pg::settings::audit_rate == 0) return -1;
  // The setting may have changed since.
  const Timestamp due = std::max(due_at_, began_at_ + Interval());
  const Timestamp left = due - GetCurrentTimestamp();
  return left <= 0 ? 0 : static_cast<long>(left / 1000 + 1);
}

// The TVIEW whose turn it is, or the next one by number. An applier begins with any.
absl::StatusOr<bool> Audit::Begin(const DependencyGraph& graph, const Standings& standings,
                                  const OnlineFills& fills, const GroupStates& groups) {
  began_at_ = GetCurrentTimestamp();
  step_ = Step{};
  std::vector<RelationId> audited;
  for (const TviewDefinition& tview : graph.order()) {
    if (!IsAudited(tview) || standings.IsBehind(tview.relation) || fills.Has(tview.relation)) {
      continue;
    }
    audited.push_back(tview.relation);
  }
  if (audited.empty()) return false;
  std::sort(audited.begin(), audited.end());
  if (tview_ == 0) {
    tview_ = audited[pg_prng_uint64_range(&pg_global_prng_state, 0, audited.size() - 1)];
  }
  auto found = std::lower_bound(audited.begin(), audited.end(), tview_);
  if (found == audited.end()) found = audited.begin();
  if (*found != tview_) {
    after_.reset();
    in_states_.reset();
  }
  step_.tview = tview_ = *found;
  step_.has_states = groups.HasValid(tview_);
  step_.is_of_states = in_states_.has_value();
  return true;
}

absl::StatusOr<AffectedKeys> Audit::Sample(const TviewDefinition& tview,
                                           RefreshExecutor* executor) {
  AffectedKeys sampled;
  std::size_t count = 0;
  const std::string sql =
      NextKeysStatement(tview, !after_.has_value(), static_cast<std::size_t>(KeysPerStep()));
  TVIEWS_RETURN_IF_ERROR(
      executor->keys().SelectKeys(tview, sql, after_, [&](std::string_view image) {
        ++count;
        step_.end = std::string(image);
        sampled.keys.emplace(image);
      }));
  step_.is_sampled = true;
  step_.name = tview.qualified_name;
  step_.is_last = count < static_cast<std::size_t>(KeysPerStep());
  TVIEWS_RETURN_IF_ERROR(RemoveQuarantined(tview, &sampled));
  // A comparison trusts no lineage.
  sampled.is_touched = sampled.names_null = !sampled.keys.empty();
  return sampled;
}

absl::Status Audit::CompareStates(const TviewDefinition& tview, GroupStates* groups) {
  TVIEWS_ASSIGN_OR_RETURN(step_.states, groups->Compare(tview, *in_states_));
  step_.is_sampled = true;
  step_.name = tview.qualified_name;
  return step_.states.differences == 0 ? absl::OkStatus() : groups->Doubt(tview.relation);
}

void Audit::Note(std::size_t keys, const WriteCounts& counts) {
  step_.keys = keys;
  step_.counts = counts;
  step_.differences = counts.inserted + counts.updated + counts.deleted;
}

bool Audit::HasRepeated() {
  absl::flat_hash_set<std::string>& known = repaired_[step_.tview];
  const absl::flat_hash_set<std::string> now(step_.repaired.begin(), step_.repaired.end());
  const bool is_repeated = std::any_of(
      now.begin(), now.end(), [&](const std::string& image) { return known.contains(image); });
  if (is_repeated || known.size() >= kMaxRemembered) known.clear();
  if (!is_repeated) known.insert(now.begin(), now.end());
  return is_repeated;
}

void Audit::Report(bool is_repeated) const {
  const std::string rows =
      absl::StrCat(Counted(step_.differences, "row"), " of TVIEW ", step_.name);
  if (is_repeated) {
    LogWarning(absl::StrCat("the audit found ", rows,
                            " that differ from its query again after they were repaired: its "
                            "definition gives the same rows different results, and it is no longer "
                            "audited"));
    return;
  }
  LogWarning(absl::StrCat("the audit found and repaired ", rows,
                          " that differed from its query: ", step_.counts.updated, " changed, ",
                          step_.counts.inserted, " missing, ", step_.counts.deleted, " extra"));
}

void Audit::ReportStates() const {
  LogWarning(absl::StrCat("the audit found ", Counted(step_.states.differences, "group"), " of ",
                          step_.states.name, " of TVIEW ", step_.name,
                          " that differed from its source: the state is built anew, and the TVIEW "
                          "is compared with its query"));
}

void Audit::AfterCommit() {
  if (step_.is_of_states) {
    AfterStates();
  } else {
    AfterRows();
  }
  Rest();
}

void Audit::AfterStates() {
  if (step_.states.differences > 0) {
    ReportStates();
    suspect_ = step_.tview;
  }
  pg::stats::CountAudit(MyDatabaseId,
                        {.tview = step_.tview,
                         .differences = step_.states.differences,
                         .rounds = step_.is_sampled && !step_.states.next.has_value() ? 1U : 0U,
                         .given_up = step_.is_sampled ? 0U : 1U},
                        GetCurrentTimestamp());
  in_states_ = step_.states.next;
  if (!step_.is_sampled || !in_states_.has_value() || has_suspect()) Advance();
}

void Audit::AfterRows() {
  const bool is_repeated = step_.differences > 0 && HasRepeated();
  if (step_.differences > 0) Report(is_repeated);
  pg::stats::CountAudit(MyDatabaseId,
                        {.tview = step_.tview,
                         .keys = step_.keys,
                         .differences = step_.differences,
                         .rounds = step_.is_sampled && step_.is_last && !step_.has_states ? 1U : 0U,
                         .given_up = step_.is_sampled ? 0U : 1U,
                         .is_repeated = is_repeated},
                        GetCurrentTimestamp());
  if (step_.is_sampled && !step_.is_last) {
    after_ = std::move(step_.end);
  } else {
    AdvanceOverRows();
  }
}

void Audit::AfterFailure(const absl::Status& error) {
  // Locks of sessions and lost races are ordinary; the time limit is counted.
  if (!pg::IsTransient(error)) pg::LogFailure(error, "an audit is given up");
  pg::stats::CountAudit(MyDatabaseId, {.tview = step_.tview, .given_up = 1}, GetCurrentTimestamp());
  AdvanceOverRows();
  Rest();
}

// A TVIEW whose rows cannot be compared in time may have states that can.
void Audit::AdvanceOverRows() {
  if (step_.has_states && !step_.is_of_states) {
    in_states_.emplace();
  } else {
    Advance();
  }
}

void Audit::Advance() {
  ++tview_;
  after_.reset();
  in_states_.reset();
}

void Audit::Rest() {
  const Timestamp now = GetCurrentTimestamp();
  due_at_ = now + kRest * (now - began_at_);
  step_ = Step{};
}

}  // namespace tviews::worker
