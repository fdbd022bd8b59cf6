// What a change would reach: the keys of every affected TVIEW, found as the applier finds them.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// The walk goes through the TVIEWs in refresh order. A delta is a FROM clause: of the changed rows
// of a source table, or of the stored rows of the affected keys of a TVIEW. Lookups run over it as
// the owner of the TVIEW whose keys they return, under the active snapshot. Every column counts as
// changed, and every recomputed document as different: the answer is the most that can happen.

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_CHANGE_IMPACT_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_CHANGE_IMPACT_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/evaluation/evaluator.h"
#include "backend/functions/row_by_key.h"
#include "shared/dependency_graph.h"

namespace tviews::backend {

// One query that names keys.
struct KeyQuery {
  RelationId source = 0;
  std::string description;  // the path, for people
  std::string statement;
};

// A key as the texts of its columns' values.
using KeyTexts = std::vector<std::string>;

struct TviewImpact {
  const TviewDefinition* tview = nullptr;
  RoleId owner = 0;                       // who stays it
  Strategy strategy = Strategy::kDirect;  // the weakest that was used
  std::vector<KeyQuery> queries;          // those that lookups need
  std::set<std::string> paths;            // descriptions of all paths that were used
  std::set<KeyTexts> keys;                // empty if `strategy` is full
  std::map<std::vector<std::size_t>, std::set<KeyTexts>> parts;  // of keys, until they are found
};

class ChangeImpact {
 public:
  // Both must outlive the object.
  ChangeImpact(const DependencyGraph& graph, Evaluator* evaluator)
      : graph_(graph), evaluator_(evaluator) {}

  // Begins with a change of these rows.
  absl::Status BeginWithRows(const std::vector<FoundRow>& rows);

  // Begins with the document of `tview` whose key is `key`.
  void BeginWithKey(RelationId tview, const KeyTexts& key);

  // Everything that is reached, in refresh order.
  absl::StatusOr<std::vector<TviewImpact>> Follow();

 private:
  absl::StatusOr<bool> Visit(const TviewDefinition& tview, TviewImpact* impact);
  absl::Status FollowPath(const SourceLineage& source, const LineagePath& path,
                          TviewImpact* impact);
  absl::Status CompleteParts(TviewImpact* impact);
  absl::StatusOr<pg::SqlResult> Run(const TviewImpact& impact, const std::string& statement);
  absl::Status AddToDeltas(const TviewImpact& impact);

  const DependencyGraph& graph_;
  Evaluator* const evaluator_;
  std::map<RelationId, std::string> deltas_;  // FROM clauses over t; empty: changed as a whole
  std::map<RelationId, KeyTexts> begin_;      // TVIEWs with a key to begin with
};

// "VALUES (...), (...)": values of the columns `part` of the key, cast to their types.
absl::StatusOr<std::string> KeysAsValues(const TviewDefinition& tview,
                                         const std::vector<std::size_t>& part,
                                         const std::set<KeyTexts>& keys);

// " (key1, key2)": what these columns are called in relations of keys.
std::string KeyFieldNames(const TviewDefinition& tview, const std::vector<std::size_t>& part);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_CHANGE_IMPACT_H_
