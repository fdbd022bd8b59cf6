// Queries for keys of a TVIEW: lookups of lineage, keys of which a part is known, all keys.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status
//
// Everything the TVIEW's definition executes runs as its owner (boundary/user_scope.h).

#ifndef PG_TVIEWS_WORKER_REFRESH_KEY_QUERIES_H_
#define PG_TVIEWS_WORKER_REFRESH_KEY_QUERIES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/tview_definition.h"
#include "worker/core/cascade.h"
#include "worker/refresh/shape_chooser.h"
#include "worker/refresh/statement_cache.h"

namespace tviews::worker {

class KeyQueries : public KeyLookup {
 public:
  KeyQueries(StatementCache* statements, ShapeChooser* shapes)
      : statements_(*statements), shapes_(*shapes) {}

  absl::Status Lookup(const TviewDefinition& tview, const SourceLineage& source,
                      const LineagePath& path, const std::vector<std::string>& source_keys,
                      absl::FunctionRef<void(std::optional<std::string_view>)> emit) override;
  absl::Status CheckInterrupts() override;

  absl::Status Complete(const TviewDefinition& tview, const std::vector<std::size_t>& part,
                        const std::vector<std::string>& rows,
                        absl::FunctionRef<void(std::string_view)> emit) override;

  // Runs a query that returns keys of `tview`, as its owner, with the columns of the key
  // `parameter` as $1, $2, ... if there is one, and calls `emit` with the image of each.
  absl::Status SelectKeys(const TviewDefinition& tview, const std::string& sql,
                          const std::optional<std::string>& parameter,
                          absl::FunctionRef<void(std::string_view)> emit);

  // Adds the keys of all rows, stored or to be stored, to `keys`, until they are more than `most`.
  absl::Status AllKeys(const TviewDefinition& tview, std::size_t most,
                       absl::flat_hash_set<std::string>* keys);

  // True if the defining query returns a row whose key is null. Such a row belongs to no key that
  // lineage names, so it is looked for where there may be one (LINEAGE counterexample 22).
  absl::StatusOr<bool> HasNullKey(const TviewDefinition& tview);

 private:
  StatementCache& statements_;
  ShapeChooser& shapes_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_KEY_QUERIES_H_
