#include "worker/core/standings.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "shared/no_destructor.h"

namespace tviews::worker {
namespace {

constexpr Timestamp kSecond = 1000000;
constexpr BackOff kAfterLock({.first = kSecond, .longest = 30 * kSecond});
constexpr BackOff kAfterPassing({.first = kSecond / 4, .longest = 60 * kSecond});
constexpr BackOff kAfterFault({.first = kSecond, .longest = 3600 * kSecond});
constexpr BackOff kInQuarantine({.first = kSecond, .longest = 60 * kSecond});
// So many times as long as the attempt took.
constexpr Timestamp kRest = 10;
constexpr int kTimesToGiveWay = 5;
// Waits for a lock that its functions want, after which nobody waits for it: half a minute.
constexpr int kLocksToWaitFor = 5;

// Patience of the others: so many failures, or so much time on two at least.
constexpr int kRepeats = 5;  // with the applier's back-off, less than a second
constexpr Timestamp kLongestRepeats = kSecond / 2;
// Patience with a TVIEW that is left aside, in failures.
constexpr int kPassingAlone = 4;    // about four seconds
constexpr int kShortagesAlone = 6;  // about a minute
constexpr int kDistrustedAlone = 1;

}  // namespace

const Standings::Standing& Standings::Of(RelationId tview) const {
  static NoDestructor<Standing> follows;
  const auto found = standings_.find(tview);
  return found == standings_.end() ? *follows : found->second;
}

void Standings::Load(const DependencyGraph& graph, const std::vector<Behind>& behind,
                     Timestamp now) {
  for (auto& [tview, standing] : standings_) {
    standing.is_behind = false;
    standing.retry_at = 0;
    const TviewDefinition* const definition = graph.Find(tview);
    if (definition == nullptr || !definition->is_quarantined) standing.quarantine.reset();
  }
  for (const TviewDefinition& tview : graph.order()) {
    if (tview.is_quarantined) Quarantine(tview.relation, now);
  }
  for (const Behind& row : behind) {
    standings_[row.tview].is_behind = true;
    standings_[row.tview].retry_at = row.retry_at;
  }
  for (const Behind& row : behind) {
    const TviewDefinition* const tview = graph.Find(row.tview);
    if (tview != nullptr && row.retry_at != 0) Remember(*tview, row, now);
  }
}

// The rest of a TVIEW that was left behind by an applier before this one. One that reads another
// such TVIEW follows that one.
void Standings::Remember(const TviewDefinition& tview, const Behind& behind, Timestamp now) {
  if (Of(tview.relation).hold.has_value()) return;
  const bool follows_another =
      std::any_of(tview.sources.begin(), tview.sources.end(),
                  [&](const SourceLineage& source) { return Of(source.source).retry_at != 0; });
  if (follows_another) return;
  Hold hold{.cause = Cause::kFault, .pause = kAfterFault, .reason = behind.reason, .is_told = true};
  hold.pause.NoteFailure(now, behind.retry_at - now);
  hold.pause.WaitUntil(behind.retry_at);
  standings_[tview.relation].hold = std::move(hold);
}

void Standings::BeginBatch() {
  for (auto& [tview, standing] : standings_) standing.is_left_aside = false;
}

bool Standings::MustBeApart() const {
  return has_quarantine_ ||
         std::any_of(standings_.begin(), standings_.end(), [this](const auto& entry) {
           return TrustIn(entry.first) == Trust::kExhausted;
         });
}

std::string Standings::ObstacleTo(const TviewDefinition& tview, const DependencyGraph& graph,
                                  Timestamp now) const {
  const std::optional<Hold>& hold = Of(tview.relation).hold;
  if (hold.has_value() && !hold->pause.IsOver(now)) return hold->reason;
  for (const SourceLineage& source : tview.sources) {
    if (!Of(source.source).is_left_aside) continue;
    const TviewDefinition* const read = graph.Find(source.source);
    const std::string name = read == nullptr ? absl::StrCat(source.source) : read->qualified_name;
    return absl::StrCat("it reads ", name, ", which is behind");
  }
  return std::string();
}

bool Standings::GivesWay(RelationId tview) const {
  const std::optional<Hold>& hold = Of(tview).hold;
  return !hold.has_value() || hold->times_gave_way < kTimesToGiveWay;
}

Trust Standings::TrustIn(RelationId tview) const {
  const Standing& standing = Of(tview);
  if (!standing.hold.has_value()) return Trust::kPatient;
  const int limit = standing.is_distrusted                    ? kDistrustedAlone
                    : standing.hold->cause == Cause::kPassing ? kPassingAlone
                                                              : kShortagesAlone;
  return standing.hold->failures >= limit ? Trust::kExhausted : Trust::kPatient;
}

std::optional<Standings::Leaving> Standings::LeaveAside(const TviewDefinition& tview, bool owes) {
  const bool reads_behind =
      std::any_of(tview.sources.begin(), tview.sources.end(),
                  [&](const SourceLineage& source) { return Of(source.source).is_left_aside; });
  const bool was_behind = IsBehind(tview.relation);
  if (!owes && !was_behind && !reads_behind) return std::nullopt;
  Standing& standing = standings_[tview.relation];
  standing.is_left_aside = true;
  const bool is_told = !standing.hold.has_value() || standing.hold->is_told;
  const Timestamp retry_at = RetryAt(tview);
  if (!owes && was_behind && is_told && retry_at == standing.retry_at) return std::nullopt;
  standing.is_behind = true;
  standing.retry_at = retry_at;
  return Leaving{.is_first = !was_behind, .retry_at = retry_at};
}

bool Standings::IsGivenUp(const Hold& hold) {
  return hold.cause == Cause::kFault ||
         (hold.cause == Cause::kLock && hold.times_lacked_lock > kLocksToWaitFor);
}

// When a TVIEW that is left aside now is tried again, if it is for a fault: of its own, or of one
// that it reads.
Timestamp Standings::RetryAt(const TviewDefinition& tview) const {
  const std::optional<Hold>& hold = Of(tview.relation).hold;
  if (hold.has_value() && IsGivenUp(*hold)) return hold->pause.until();
  for (const SourceLineage& source : tview.sources) {
    const Standing& read = Of(source.source);
    if (read.is_left_aside && read.retry_at != 0) return read.retry_at;
  }
  return 0;
}

void Standings::CatchUp(RelationId tview) {
  standings_[tview].is_behind = false;
  standings_[tview].retry_at = 0;
}

void Standings::Ask(RelationId tview) {
  const auto found = standings_.find(tview);
  if (found != standings_.end() && found->second.hold.has_value()) {
    found->second.hold->pause.WaitUntil(0);
  }
}

void Standings::Quarantine(RelationId tview, Timestamp now) {
  std::optional<BackOff>& pause = standings_[tview].quarantine;
  if (pause.has_value()) return;
  pause = kInQuarantine;
  pause->NoteFailure(now);
}

void Standings::Retry(RelationId tview, Timestamp now) {
  std::optional<BackOff>& pause = standings_[tview].quarantine;
  if (pause.has_value()) pause->NoteFailure(now);
}

std::string Standings::Blame(RelationId tview, const Failure& failure, Timestamp now) {
  std::string fault;
  switch (failure.ending) {
    case Ending::kGaveWay:
      GiveWay(tview, now);
      break;
    case Ending::kTimedOut:
      fault = absl::StrCat("its refresh took longer than pg_tviews.refresh_timeout allows (",
                           failure.spent / 1000, " ms)");
      LeaveBehind(tview, fault, failure.spent, now);
      break;
    case Ending::kCancelled:
      fault = "its refresh was cancelled";
      LeaveBehind(tview, fault, failure.spent, now);
      break;
    case Ending::kShortage:
      fault = Endure(tview, Cause::kShortage, failure, now);
      break;
    case Ending::kPassing:
      fault = Endure(tview, Cause::kPassing, failure, now);
      break;
    case Ending::kLockTimeout:
      LackLock(tview, now);
      break;
    case Ending::kOutdated:
    case Ending::kLockInTheWay:
    case Ending::kCommitted:
    case Ending::kData:  // the next batch finds out which keys it is
      break;
  }
  return fault;
}

const BackOff& Standings::PausesFor(Cause cause) {
  switch (cause) {
    case Cause::kLock:
      return kAfterLock;
    case Cause::kPassing:
      return kAfterPassing;
    case Cause::kShortage:
    case Cause::kFault:
      break;
  }
  return kAfterFault;
}

Standings::Hold& Standings::HoldBack(RelationId tview, Cause cause, Timestamp at_least,
                                     Timestamp now) {
  std::optional<Hold>& hold = standings_[tview].hold;
  const BackOff& fresh = PausesFor(cause);
  if (!hold.has_value()) hold = Hold{.pause = fresh};
  if (&PausesFor(hold->cause) != &fresh) hold->pause = fresh;
  hold->pause.NoteFailure(now, at_least);
  hold->cause = cause;
  hold->is_told = false;
  return *hold;
}

void Standings::GiveWay(RelationId tview, Timestamp now) {
  Hold& hold = HoldBack(tview, Cause::kLock, 0, now);
  hold.reason = "its refresh gave way to a session that waited for a lock";
  ++hold.times_gave_way;
}

void Standings::LackLock(RelationId tview, Timestamp now) {
  Hold& hold = HoldBack(tview, Cause::kLock, 0, now);
  hold.reason = "a lock that its refresh needs is held by another session";
  ++hold.times_lacked_lock;
}

void Standings::LeaveBehind(RelationId tview, const std::string& fault, Timestamp spent,
                            Timestamp now) {
  HoldBack(tview, Cause::kFault, spent * kRest, now).reason = fault;
}

void Standings::Accuse(RelationId tview, const std::string& fault, Timestamp spent, Timestamp now) {
  LeaveBehind(tview, fault, spent, now);
  standings_[tview].hold->is_accused = true;
}

bool Standings::IsAccused(RelationId tview) const {
  const Standing& standing = Of(tview);
  return standing.hold.has_value() && standing.hold->is_accused && !standing.is_behind;
}

bool Standings::AnyAccused() const {
  return std::any_of(standings_.begin(), standings_.end(),
                     [this](const auto& entry) { return IsAccused(entry.first); });
}

// An error that may pass: repeated for all while that is quick, and then on its own.
std::string Standings::Endure(RelationId tview, Cause cause, const Failure& failure,
                              Timestamp now) {
  Standing& standing = standings_[tview];
  const bool is_alone = standing.hold.has_value() && standing.hold->cause != Cause::kLock;
  standing.spent += failure.spent;
  const int repeats = standing.spent < kLongestRepeats ? kRepeats : 2;
  if (++standing.failures < repeats && !is_alone) return std::string();
  const Timestamp rest = cause == Cause::kShortage ? failure.spent * kRest : failure.spent;
  Hold& hold = HoldBack(tview, cause, rest, now);
  hold.reason = absl::StrCat("its refresh fails: ", failure.error);
  ++hold.failures;
  return hold.reason;
}

void Standings::Commit() {
  for (auto& [tview, standing] : standings_) {
    if (!standing.is_behind) {
      standing.is_distrusted = standing.is_distrusted || TrustIn(tview) == Trust::kExhausted;
      standing.hold.reset();
    }
    if (standing.hold.has_value() && standing.is_left_aside) standing.hold->is_told = true;
    standing.failures = 0;
    standing.spent = 0;
    if (!has_quarantine_) standing.is_distrusted = false;
  }
  std::erase_if(standings_, [](const auto& entry) {
    const Standing& standing = entry.second;
    return !standing.is_behind && !standing.is_left_aside && !standing.quarantine.has_value() &&
           !standing.is_distrusted;
  });
}

bool Standings::IsBehind(RelationId tview) const { return Of(tview).is_behind; }

bool Standings::AnyBehind() const {
  return !unadopted_.empty() ||
         std::any_of(standings_.begin(), standings_.end(),
                     [](const auto& entry) { return entry.second.is_behind; });
}

long Standings::TryDueMs(Timestamp now) const {
  std::optional<Timestamp> due;
  for (const auto& [tview, standing] : standings_) {
    if (standing.is_behind) due = std::min(due.value_or(standing.retry_at), standing.retry_at);
  }
  if (!due.has_value()) return -1;
  return static_cast<long>(std::max<Timestamp>(*due - now, 0) / 1000);
}

std::set<RelationId> Standings::WaitedFor() const {
  std::set<RelationId> tviews = unadopted_;
  for (const auto& [tview, standing] : standings_) {
    if (standing.is_behind && standing.retry_at == 0) tviews.insert(tview);
  }
  return tviews;
}

std::size_t Standings::GivenUp() const {
  return static_cast<std::size_t>(std::count_if(
      standings_.begin(), standings_.end(),
      [](const auto& entry) { return entry.second.is_behind && entry.second.retry_at != 0; }));
}

bool Standings::AnyDormant() const {
  return std::any_of(standings_.begin(), standings_.end(),
                     [](const auto& entry) { return entry.second.quarantine.has_value(); });
}

bool Standings::IsToRetry(RelationId tview, Timestamp now) const {
  const std::optional<BackOff>& pause = Of(tview).quarantine;
  return pause.has_value() && pause->IsOver(now);
}

bool Standings::AnyToRetry(Timestamp now) const {
  return std::any_of(standings_.begin(), standings_.end(),
                     [&](const auto& entry) { return IsToRetry(entry.first, now); });
}

}  // namespace tviews::worker
