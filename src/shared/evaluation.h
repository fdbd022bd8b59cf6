// What a session and its evaluator process say to each other: statements to run as somebody, and
// their rows.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail; malformed bytes give nullopt

#ifndef PG_TVIEWS_SHARED_EVALUATION_H_
#define PG_TVIEWS_SHARED_EVALUATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/definition_settings.h"
#include "shared/lane.h"
#include "shared/types.h"

namespace tviews {

// One statement that an evaluator runs, or only plans.
struct Evaluation {
  RoleId owner = 0;  // of what the statement evaluates; 0: of the extension, for its own tables
  DefinitionSettings settings = {};  // that the definition keeps
  std::string sql;
  std::vector<std::optional<std::string>> parameters = {};  // text values
  bool with_batch_costs = false;   // planned with the page costs of a batch
  bool with_key_planning = false;  // planned as the recomputation of keys is
  RelationId with_states_of = 0;   // planned with the group states of this TVIEW
  bool is_planned_only = false;    // without parameters; the answer is its cost
  std::string lane = kMainLane;    // whose time it is evaluated at
};

std::string EncodeEvaluation(const Evaluation& evaluation);
std::optional<Evaluation> DecodeEvaluation(std::string_view bytes);

// The other message of a session, which is answered by an EvaluationEnd.
inline constexpr std::string_view kEndSnapshot = "S";

// An answer: any number of rows, then an end or a failure.
using EvaluatedRow = std::vector<std::optional<std::string>>;  // in text form
struct EvaluationEnd {
  std::uint64_t processed = 0;
  double cost = 0;  // of what was only planned
};
struct EvaluationFailure {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
};
struct EvaluationAnswer {
  std::optional<EvaluatedRow> row;
  std::optional<EvaluationEnd> end;
  std::optional<EvaluationFailure> failure;  // one of the three
};

std::string EncodeRow(const EvaluatedRow& row);
std::string EncodeEnd(const EvaluationEnd& end);
std::string EncodeFailure(const EvaluationFailure& failure);
std::optional<EvaluationAnswer> DecodeAnswer(std::string_view bytes);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_EVALUATION_H_
