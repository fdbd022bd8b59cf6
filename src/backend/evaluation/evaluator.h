// A process of its own in which what users have defined is evaluated as its owner.
//
// Layer:   backend
// Sharing: one shared memory segment per object, between this session and the process
// Errors:  returns Status, that of the statement included
//
// What a definition runs - its functions, the input of its types, their casts - runs with the
// owner's rights. The session that asks belongs to somebody else, who may have prepared it:
// temporary objects, which a function's search_path finds first, and settings. So it runs in a
// background worker that nobody has prepared (src/worker/evaluator). The caller's right to ask is
// checked here, before.
//
// (1) The statements of one snapshot see one committed state, under REPEATABLE READ: nothing of
//     this session's transaction.
// (2) The process is in this session's lock group: it does not wait for locks of this transaction,
//     and the server's deadlock detector takes both for one.
// (3) It ends with the object, with the session, and at a cancel.

#ifndef PG_TVIEWS_BACKEND_EVALUATION_EVALUATOR_H_
#define PG_TVIEWS_BACKEND_EVALUATION_EVALUATOR_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/evaluation.h"
#include "shared/pg/boundary/spi.h"

namespace tviews::backend {

class Evaluator {
 public:
  // Starts the process, or waits a while for one to be free.
  static absl::StatusOr<Evaluator> Start();

  Evaluator(Evaluator&& other) noexcept;
  Evaluator& operator=(Evaluator&&) = delete;
  ~Evaluator();

  // The first one takes the snapshot. A failure is the end of the process.
  absl::StatusOr<pg::SqlResult> Run(const Evaluation& evaluation);

  // The planner's total cost of a statement, which is not run.
  absl::StatusOr<double> CostOf(Evaluation evaluation);

  // Ends the snapshot, and releases the locks that were taken under it.
  absl::Status EndSnapshot();

 private:
  struct Process;  // plain, in the server's memory
  explicit Evaluator(Process* process) : process_(process) {}

  absl::StatusOr<EvaluationEnd> Ask(const Evaluation& evaluation, std::vector<pg::SqlRow>* rows);
  absl::Status Send(std::string_view message);
  absl::StatusOr<EvaluationAnswer> Receive();

  Process* process_;
};

// The owner of a relation, who stays it until the end of this transaction: locks the relation.
absl::StatusOr<RoleId> HoldOwner(RelationId relation);

// Fails if this transaction has created or altered one of `relations`, or the query of one: the
// process would not see that.
absl::Status CheckIsCommitted(const std::vector<RelationId>& relations);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_EVALUATION_EVALUATOR_H_
