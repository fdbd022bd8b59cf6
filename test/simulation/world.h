// One run: the processes, the scheduler that steps them, and the shared memory between them.
//
// Layer:   test
// Sharing: private to one thread
// Errors:  Fail ends the run; its message is the finding
//
// A schedule is a list of choices: a number below kFirstEvent is the process that goes on to its
// next point, the others are events. A choice that cannot be made is passed over, so that any part
// of a schedule is a schedule. Where the list ends, the process that ran last goes on, then the
// first that can: without interruptions.

#ifndef PG_TVIEWS_TEST_SIMULATION_WORLD_H_
#define PG_TVIEWS_TEST_SIMULATION_WORLD_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "database.h"
#include "fiber.h"
#include "program.h"
#include "shared/queue_state.h"
#include "tviews.h"

namespace tviews::simulation {

using Schedule = std::vector<std::uint8_t>;

// Processes.
inline constexpr int kApplier = 0;
inline constexpr int kLauncher = 1;
inline constexpr int kFinisher = 2;  // ends prepared transactions
inline constexpr int kVacuum = 3;
inline constexpr int kForeign = 4;
inline constexpr int kLane = 5;  // the applier of another lane
inline constexpr int kCreator = 6;
inline constexpr int kLocker = 7;
inline constexpr int kDropper = 8;
inline constexpr int kFirstSession = 9;
inline constexpr int kProcesses = 12;
// Events.
inline constexpr std::uint8_t kFirstEvent = 200;
inline constexpr std::uint8_t kTerminateApplier = 200;
inline constexpr std::uint8_t kFailBatch = 201;
inline constexpr std::uint8_t kPauseApplier = 202;
inline constexpr std::uint8_t kResumeApplier = 203;
inline constexpr std::uint8_t kIdleTimeout = 204;
inline constexpr std::uint8_t kTimePasses = 205;  // for those who sleep with a timeout
inline constexpr std::uint8_t kTerminateLane = 206;
inline constexpr std::uint8_t kFailLane = 207;
inline constexpr std::uint8_t kTerminateSession = 210;  // + which
inline constexpr std::uint8_t kCrash = 220;             // + commits that were flushed by chance
inline constexpr std::uint8_t kLastCrash = 222;

// What a process that is ended throws through whatever it is doing.
struct Ended {};
// What a run that has failed throws in every process.
struct GivenUp {};

inline constexpr DatabaseId kOurs = 5;
inline constexpr DatabaseId kOther = 6;

// What DatabaseSlot and SlotTable are in the server.
struct Slot {
  DatabaseId database = 0;
  DatabaseId reserved_from = 0;  // in a crowd, until another has had it
  QueueCounters counters{};
  bool has_applier = false;
  bool needs_applier = false;
  bool paused = false;
  bool is_closing = false;
  std::uint32_t generation = 0;
  SnapshotBounds frontier;
  std::set<RelationId> behind;  // that sessions wait for
  std::size_t given_up = 0;     // others
};

class World {
 public:
  World();

  // Runs `program`; returns the finding, or nothing. With a generator, choices are made up where
  // `schedule` ends, and added to it.
  std::string Run(const Program& program, Schedule* schedule, Random* random, bool traces);
  const std::string& trace() const { return trace_; }
  std::size_t steps() const { return steps_; }

  // --- For the processes
  // A point of the code: others may go on. An event can end the process here, or fail its work.
  absl::Status Point(const char* where);
  // The same where a commit cannot be stopped any more.
  void PointInCommit(const char* where);
  // Waits until `condition` is true; asked by the scheduler at every step.
  void Await(const char* what, std::function<bool()> condition);
  // The same with a timeout: where nobody else can go on, time passes.
  void Sleep(const char* what, std::function<bool()> condition);
  void Fail(const std::string& finding);
  void Check(bool holds, const char* finding) {
    if (!holds) Fail(finding);
  }
  bool is_given_up() const { return is_given_up_; }
  bool traces() const { return traces_; }
  void Note(const std::string& what);
  // Runs a process that is not there.
  void Start(int process, std::function<void()> body);
  bool IsThere(int process) const { return !processes_[process].fiber.is_over(); }

  // --- What they share
  const Program* program = nullptr;
  Database database;
  Slot slot;
  OverflowCounters unslotted{};
  std::vector<std::uint64_t> ring_memory;
  // Of the lane: what its slot has, but for a queue, which stays empty.
  QueueCounters lane_counters{};
  std::vector<std::uint64_t> lane_ring;
  SnapshotBounds lane_frontier;
  bool lane_latch = false;
  bool lane_hurry = false;
  bool applier_latch = false;
  bool launcher_latch = false;
  bool visits = false;        // the launcher is to visit the database
  bool is_crowded = false;    // somebody has found no slot
  bool other_waits = false;   // another database does
  bool idle_timeout = false;  // of the applier
  Timestamp now = 0;
  std::uint64_t catalog_changes = 0;
  // Locks of tables: a strong one of the creator, the dropper or the locker, and who has ROW
  // EXCLUSIVE.
  std::map<RelationId, FullXid> strong_locks;
  std::map<RelationId, std::vector<FullXid>> row_locks;
  // What the oracle remembers.
  std::map<FullXid, int> records;  // of each transaction that wrote any
  // What a session has and loses by a crash, and the place in its program, which it keeps.
  struct Session {
    std::size_t next_step = 0;
    FullXid last_recorded = 0;
    SnapshotBounds read;
  };
  std::array<Session, kProcesses> sessions;
  std::vector<FullXid> finishable;  // prepared transactions that another session can end

  QueueState Queue() { return QueueState(ring_memory.data(), &slot.counters, &unslotted); }
  QueueState LaneQueue() { return QueueState(lane_ring.data(), &lane_counters, &unslotted); }
  void ReleaseLocks(FullXid xid);
  void WakeApplier();

 private:
  struct Process {
    Fiber fiber;
    std::function<bool()> condition;  // null: can go on
    const char* where = "";
    bool is_asleep = false;
    bool is_ended = false;
    bool has_failure = false;
  };

  void Reset(const Program& program);
  void ResetLane();
  bool CanGoOn(const Process& process) const;
  int Choose(Schedule* schedule, Random* random);
  int MakeUp(Random* random, const std::vector<int>& able);
  bool Happen(std::uint8_t event);
  void Step(int process);
  void Crash(int survivors);
  void EndAll();
  void CheckRest();

  std::array<Process, kProcesses> processes_;
  std::vector<int> able_;  // processes that can go on
  int current_ = -1;
  int last_ = -1;
  std::size_t position_ = 0;
  std::size_t steps_ = 0;
  bool is_given_up_ = false;
  int crashes_ = 0;
  int sticky_percent_ = 0;
  int event_percent_ = 0;  // tenths
  std::string finding_;
  bool traces_ = false;
  std::string trace_;
};

}  // namespace tviews::simulation

#endif  // PG_TVIEWS_TEST_SIMULATION_WORLD_H_
