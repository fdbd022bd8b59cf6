#include "world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "oracle.h"
#include "processes.h"

namespace tviews::simulation {
namespace {

constexpr std::size_t kMaxSteps = 3000;
// Microseconds: of a step, of a timeout, and until every pause is over.
constexpr Timestamp kStepTime = 1000;
constexpr Timestamp kShortTime = 1000000;
constexpr Timestamp kLongTime = 2 * 3600 * Timestamp{1000000};

constexpr std::uint8_t kEvents[] = {kTerminateApplier,
                                    kTerminateApplier,
                                    kFailBatch,
                                    kPauseApplier,
                                    kResumeApplier,
                                    kIdleTimeout,
                                    kTerminateSession,
                                    kTerminateSession,
                                    kTerminateSession + 1,
                                    kTerminateSession + 2,
                                    kCrash,
                                    kCrash + 1,
                                    kCrash + 2,
                                    kTimePasses,
                                    kTimePasses,
                                    kTerminateLane,
                                    kFailLane};

std::string NameOf(int process) {
  static constexpr const char* kNames[] = {"applier", "launcher", "finisher", "vacuum", "foreign",
                                           "lane",    "creator",  "locker",   "dropper"};
  if (process < 0) return "";
  if (process < kFirstSession) return kNames[process];
  return absl::StrCat("session ", process - kFirstSession);
}

}  // namespace

World::World() = default;

void World::ResetLane() {
  constexpr std::uint32_t kSmall = 128;
  lane_counters = QueueCounters{};
  lane_ring.assign(RecordRing::MemorySize(kSmall) / sizeof(std::uint64_t) + 1, 0);
  RecordRing::Format(lane_ring.data(), kSmall);
  LaneQueue().Begin();
  lane_frontier = SnapshotBounds();
  lane_latch = lane_hurry = false;
}

void World::Reset(const Program& given) {
  program = &given;
  slot = Slot();
  unslotted = OverflowCounters{};
  ring_memory.assign(RecordRing::MemorySize(given.ring_capacity) / sizeof(std::uint64_t) + 1, 0);
  RecordRing::Format(ring_memory.data(), given.ring_capacity);
  ResetLane();
  applier_latch = launcher_latch = is_crowded = other_waits = idle_timeout = false;
  visits = true;  // the server has started
  catalog_changes = 0;
  now = 0;
  strong_locks.clear();
  row_locks.clear();
  records.clear();
  sessions = {};
  finishable.clear();
  for (Process& process : processes_) {
    process.condition = nullptr;
    process.is_asleep = process.is_ended = process.has_failure = false;
  }
  current_ = last_ = -1;
  position_ = steps_ = 0;
  is_given_up_ = false;
  crashes_ = 0;
  finding_.clear();
  trace_.clear();
  LoadInitialState(&database);
}

std::string World::Run(const Program& given, Schedule* schedule, Random* random, bool traces) {
  traces_ = traces;
  Reset(given);
  if (random != nullptr) {
    static constexpr int kSticky[] = {0, 30, 60, 85, 95};
    sticky_percent_ = kSticky[random->Below(5)];
    event_percent_ = random->Percent(60) ? 0 : 1 + random->Below(40);
  }
  StartProcesses(this);
  while (finding_.empty()) {
    const int process = Choose(schedule, random);
    if (process < 0) break;
    Step(process);
    if (steps_ > kMaxSteps) Fail("it does not come to an end");
  }
  if (finding_.empty()) CheckRest();
  EndAll();
  return finding_;
}

bool World::CanGoOn(const Process& process) const {
  return !process.fiber.is_over() &&
         (process.is_ended || process.condition == nullptr || process.condition());
}

// -1: nothing is left to do.
int World::Choose(Schedule* schedule, Random* random) {
  for (;;) {
    std::vector<int>& able = able_;
    able.clear();
    for (int i = 0; i < kProcesses; ++i) {
      if (CanGoOn(processes_[i])) able.push_back(i);
    }
    if (able.empty()) {
      // Time passes for those who sleep with a timeout: first for who can find something.
      for (Process& process : processes_) {
        if (process.fiber.is_over() || !process.is_asleep) continue;
        now += kLongTime;
        process.is_asleep = false;
        process.condition = nullptr;
        able.push_back(static_cast<int>(&process - processes_.data()));
        break;
      }
      if (able.empty()) {
        if (!Happen(kResumeApplier)) return -1;
        continue;
      }
    }
    std::uint8_t choice = 255;
    if (position_ < schedule->size()) {
      choice = (*schedule)[position_++];
    } else if (random != nullptr) {
      choice = static_cast<std::uint8_t>(MakeUp(random, able));
      schedule->push_back(choice);
      ++position_;
    }
    if (choice < kFirstEvent) {
      if (std::find(able.begin(), able.end(), choice) != able.end()) return choice;
      continue;
    }
    if (choice != 255) {
      if (Happen(choice)) ++steps_;
      if (!finding_.empty()) return -1;
      continue;
    }
    const bool goes_on = std::find(able.begin(), able.end(), last_) != able.end();
    return goes_on ? last_ : able.front();
  }
}

int World::MakeUp(Random* random, const std::vector<int>& able) {
  if (event_percent_ > 0 && random->Below(1000) < event_percent_) {
    return kEvents[random->Below(static_cast<int>(std::size(kEvents)))];
  }
  if (std::find(able.begin(), able.end(), last_) != able.end() &&
      random->Percent(sticky_percent_)) {
    return last_;
  }
  return able[random->Below(static_cast<int>(able.size()))];
}

void World::Step(int process) {
  ++steps_;
  now += kStepTime;
  current_ = last_ = process;
  processes_[process].condition = nullptr;
  processes_[process].is_asleep = false;
  processes_[process].fiber.Resume();
  current_ = -1;
}

bool World::Happen(std::uint8_t event) {
  Process& applier = processes_[kApplier];
  switch (event) {
    case kTerminateApplier:
      if (applier.fiber.is_over()) return false;
      Note("-- the applier is terminated");
      applier.is_ended = true;
      applier.is_asleep = false;
      return true;
    case kFailBatch:
      if (applier.fiber.is_over()) return false;
      Note("-- the applier's next call fails");
      applier.has_failure = true;
      return true;
    case kPauseApplier:
      if (slot.database != kOurs) return false;
      Note("-- pg_tviews_pause()");
      slot.paused = true;
      return true;
    case kResumeApplier:
      if (!slot.paused) return false;
      Note("-- pg_tviews_resume()");
      slot.paused = false;
      WakeApplier();
      return true;
    case kIdleTimeout:
      if (applier.fiber.is_over()) return false;
      Note("-- the applier's idle timeout");
      idle_timeout = true;
      return true;
    case kTerminateLane:
      if (processes_[kLane].fiber.is_over()) return false;
      Note("-- the lane's applier is terminated");
      processes_[kLane].is_ended = true;
      return true;
    case kFailLane:
      if (processes_[kLane].fiber.is_over()) return false;
      Note("-- the lane's next call fails");
      processes_[kLane].has_failure = true;
      return true;
    case kTimePasses:
      now += kShortTime;
      for (Process& process : processes_) {
        if (!process.is_asleep) continue;
        process.is_asleep = false;
        process.condition = nullptr;
      }
      return true;
    default:
      break;
  }
  if (event >= kCrash && event <= kLastCrash) {
    if (crashes_ == 3) return false;
    Crash(event - kCrash);
    return true;
  }
  const int process = kFirstSession + event - kTerminateSession;
  if (process < kFirstSession || process >= kProcesses) return false;
  if (processes_[process].fiber.is_over()) return false;
  Note(absl::StrCat("-- ", NameOf(process), " is terminated"));
  processes_[process].is_ended = true;
  processes_[process].is_asleep = false;
  return true;
}

// All processes are gone, and shared memory with them.
void World::Crash(int survivors) {
  ++crashes_;
  Note(absl::StrCat("-- the server crashes; commits flushed by chance: ", survivors));
  EndAll();
  is_given_up_ = false;
  database.Crash(survivors);
  const std::uint32_t generation = slot.generation;
  slot = Slot();
  slot.generation = generation;
  unslotted = OverflowCounters{};
  RecordRing::Format(ring_memory.data(), program->ring_capacity);
  ResetLane();
  applier_latch = launcher_latch = is_crowded = other_waits = idle_timeout = false;
  visits = true;
  for (Session& session : sessions)
    session = {.next_step = session.next_step, .last_recorded = 0, .read = {}};
  finishable = database.Prepared();
  strong_locks.clear();
  for (auto& [relation, holders] : row_locks) {
    std::erase_if(holders, [&](FullXid xid) { return !database.IsPrepared(xid); });
  }
  last_ = -1;
  RestartProcesses(this);
}

// Each process is unwound.
void World::EndAll() {
  is_given_up_ = true;
  for (int i = 0; i < kProcesses; ++i) {
    Process& process = processes_[i];
    current_ = i;
    while (!process.fiber.is_over()) process.fiber.Resume();
    process.condition = nullptr;
    process.is_asleep = process.is_ended = process.has_failure = false;
  }
  current_ = -1;
}

absl::Status World::Point(const char* where) {
  Process& process = processes_[current_];
  if (is_given_up_) throw GivenUp();
  process.where = where;
  if (traces_) Note(absl::StrCat("at ", where));
  process.fiber.Pause();
  if (is_given_up_) throw GivenUp();
  if (process.is_ended) {
    process.is_ended = false;
    throw Ended();
  }
  if (process.has_failure) {
    process.has_failure = false;
    return absl::AbortedError(where);
  }
  return absl::OkStatus();
}

void World::PointInCommit(const char* where) {
  Process& process = processes_[current_];
  if (is_given_up_) throw GivenUp();
  process.where = where;
  if (traces_) Note(absl::StrCat("at ", where));
  process.fiber.Pause();
  if (is_given_up_) throw GivenUp();
}

void World::Await(const char* what, std::function<bool()> condition) {
  if (is_given_up_) throw GivenUp();
  processes_[current_].condition = std::move(condition);
  Point(what).IgnoreError();
}

void World::Sleep(const char* what, std::function<bool()> condition) {
  processes_[current_].is_asleep = true;
  Await(what, std::move(condition));
}

void World::Fail(const std::string& finding) {
  if (finding_.empty()) {
    finding_ = finding;
    Note(absl::StrCat("FAILED: ", finding));
  }
  if (current_ >= 0 && !is_given_up_) {
    is_given_up_ = true;
    throw GivenUp();
  }
}

void World::Note(const std::string& what) {
  constexpr std::size_t kLongest = 40000;  // of a run without an end, the beginning is enough
  if (!traces_ || trace_.size() > kLongest) return;
  absl::StrAppendFormat(&trace_, "%4d  %-10s  %s\n", steps_, NameOf(current_), what);
}

void World::Start(int process, std::function<void()> body) {
  Process& started = processes_[process];
  started.condition = nullptr;
  started.is_asleep = started.is_ended = started.has_failure = false;
  started.fiber.Begin([this, process, body = std::move(body)] {
    try {
      body();
    } catch (const Ended&) {
    } catch (const GivenUp&) {
    }
    if (traces_ && !is_given_up_) Note(absl::StrCat(NameOf(process), " ends"));
  });
}

void World::ReleaseLocks(FullXid xid) {
  for (auto& [relation, holders] : row_locks) std::erase(holders, xid);
}

void World::WakeApplier() {
  if (slot.has_applier) {
    applier_latch = true;
    return;
  }
  slot.needs_applier = true;
  launcher_latch = true;
}

void World::CheckRest() {
  for (int i = kCreator; i < kProcesses; ++i) {
    if (!processes_[i].fiber.is_over()) {
      Fail(absl::StrCat(NameOf(i), " waits for ever: ", processes_[i].where));
      return;
    }
  }
  CheckAtRest(this);
}

}  // namespace tviews::simulation
