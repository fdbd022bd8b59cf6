// What a run does: which sessions execute what, and what else there is. Not in which order: that is
// the schedule.
//
// Layer:   test
// Sharing: immutable during a run
// Errors:  cannot fail

#ifndef PG_TVIEWS_TEST_SIMULATION_PROGRAM_H_
#define PG_TVIEWS_TEST_SIMULATION_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "database.h"
#include "random.h"

namespace tviews::simulation {

struct Operation {
  enum class Kind : std::uint8_t {
    kInsertChild,
    kUpdateChild,  // its value
    kMoveChild,    // to another parent
    kGroupChild,   // its group, which at first no TVIEW reads
    kDeleteChild,
    kUpdateParent,
    kTruncateChildren,
    kSavepoint,
    kRollbackTo,
    kReleaseSavepoint
  };
  Kind kind = Kind::kUpdateChild;
  Key key = 0;
  Key other = 0;
};

struct Step {
  enum class Kind : std::uint8_t {
    kCommit,
    kRollback,
    kPrepare,
    kLateChange,  // commits after another change, made after the record was written
    kReadSession,
    kReadStrict,
    kReadEventual
  };
  Kind kind = Kind::kCommit;
  std::vector<Operation> operations;
};

struct Program {
  std::vector<std::vector<Step>> sessions;
  RelationId creates = 0;    // a TVIEW that one more session creates
  RelationId locks = 0;      // a TVIEW that one more session locks for a while
  RelationId drops = 0;      // a TVIEW that one more session drops
  bool has_foreign = false;  // another database wants the only slot
  bool has_vacuum = false;
  bool has_lane = false;
  std::uint32_t ring_capacity = 4096;
  std::size_t transaction_memory = 1 << 20;
  std::size_t batch_memory = 1 << 20;
};

Program MakeProgram(Random* random);
std::string Describe(const Program& program);

}  // namespace tviews::simulation

#endif  // PG_TVIEWS_TEST_SIMULATION_PROGRAM_H_
