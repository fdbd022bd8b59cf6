#include "program.h"

#include "absl/strings/str_cat.h"
#include "tviews.h"

namespace tviews::simulation {
namespace {

Operation MakeOperation(Random* random) {
  using Kind = Operation::Kind;
  static constexpr Kind kKinds[] = {
      Kind::kInsertChild, Kind::kUpdateChild, Kind::kUpdateChild,      Kind::kMoveChild,
      Kind::kMoveChild,   Kind::kGroupChild,  Kind::kDeleteChild,      Kind::kUpdateParent,
      Kind::kSavepoint,   Kind::kRollbackTo,  Kind::kReleaseSavepoint, Kind::kUpdateParent,
      Kind::kUpdateChild, Kind::kInsertChild};
  Operation operation;
  operation.kind = random->Percent(2) ? Kind::kTruncateChildren : kKinds[random->Below(14)];
  operation.key = 1 + random->Below(operation.kind == Kind::kUpdateParent ? kParents : kChildren);
  operation.other = 1 + random->Below(kParents);
  return operation;
}

Step MakeStep(Random* random) {
  using Kind = Step::Kind;
  static constexpr Kind kKinds[] = {
      Kind::kCommit,   Kind::kCommit,  Kind::kCommit,     Kind::kCommit,      Kind::kCommit,
      Kind::kRollback, Kind::kPrepare, Kind::kReadStrict, Kind::kReadSession, Kind::kReadEventual};
  Step step;
  step.kind = random->Percent(2) ? Kind::kLateChange : kKinds[random->Below(10)];
  if (step.kind >= Kind::kReadSession) return step;
  const int count = 1 + random->Below(3);
  for (int i = 0; i < count; ++i) step.operations.push_back(MakeOperation(random));
  return step;
}

const char* Name(Operation::Kind kind) {
  static constexpr const char* kNames[] = {
      "insert child",  "update child",      "move child", "group child", "delete child",
      "update parent", "truncate children", "savepoint",  "rollback to", "release savepoint"};
  return kNames[static_cast<int>(kind)];
}

const char* Name(Step::Kind kind) {
  static constexpr const char* kNames[] = {
      "commit",         "rollback",      "prepare",        "late change, commit",
      "read (session)", "read (strict)", "read (eventual)"};
  return kNames[static_cast<int>(kind)];
}

}  // namespace

Program MakeProgram(Random* random) {
  static constexpr std::uint32_t kCapacities[] = {128, 256, 320, 640, 1024, 4096};
  Program program;
  const int sessions = 1 + random->Below(3);
  for (int i = 0; i < sessions; ++i) {
    std::vector<Step> steps;
    const int count = 1 + random->Below(4);
    for (int j = 0; j < count; ++j) steps.push_back(MakeStep(random));
    program.sessions.push_back(std::move(steps));
  }
  if (random->Percent(15)) program.creates = random->Percent(50) ? kTvGroup : kTvOver;
  static constexpr RelationId kLocks[] = {kTvParent, kTvParent, kTvChild, kTvNested, kTvTotal};
  if (random->Percent(20)) program.locks = kLocks[random->Below(5)];
  static constexpr RelationId kDrops[] = {kTvChild, kTvNested, kTvTotal};
  if (random->Percent(15)) program.drops = kDrops[random->Below(3)];
  program.has_foreign = random->Percent(10);
  program.has_vacuum = random->Percent(40);
  program.has_lane = random->Percent(40);
  program.ring_capacity = kCapacities[random->Below(6)];
  if (random->Percent(10)) program.transaction_memory = 60;
  if (random->Percent(10)) program.batch_memory = 60;
  return program;
}

std::string Describe(const Program& program) {
  std::string text = absl::StrCat("ring of ", program.ring_capacity, " bytes");
  if (program.transaction_memory < 100) absl::StrAppend(&text, ", little transaction_memory");
  if (program.batch_memory < 100) absl::StrAppend(&text, ", little batch_memory");
  if (program.has_foreign) absl::StrAppend(&text, ", another database wants the slot");
  if (program.has_vacuum) absl::StrAppend(&text, ", vacuum");
  if (program.has_lane) absl::StrAppend(&text, ", a lane");
  absl::StrAppend(&text, "\n");
  for (std::size_t i = 0; i < program.sessions.size(); ++i) {
    absl::StrAppend(&text, "session ", i, ":");
    for (const Step& step : program.sessions[i]) {
      absl::StrAppend(&text, "  ");
      for (const Operation& operation : step.operations) {
        absl::StrAppend(&text, Name(operation.kind));
        if (operation.kind < Operation::Kind::kTruncateChildren) {
          absl::StrAppend(&text, " ", operation.key);
        }
        if (operation.kind == Operation::Kind::kMoveChild ||
            operation.kind == Operation::Kind::kInsertChild) {
          absl::StrAppend(&text, " to ", operation.other);
        }
        absl::StrAppend(&text, ", ");
      }
      absl::StrAppend(&text, Name(step.kind), ";");
    }
    absl::StrAppend(&text, "\n");
  }
  if (program.creates != 0) {
    absl::StrAppend(&text, "creator: CREATE ", TviewName(program.creates), "\n");
  }
  if (program.locks != 0) {
    absl::StrAppend(&text, "locker: LOCK TABLE ", TviewName(program.locks), "\n");
  }
  if (program.drops != 0) {
    absl::StrAppend(&text, "dropper: DROP TABLE ", TviewName(program.drops), "\n");
  }
  return text;
}

}  // namespace tviews::simulation
