// Comparing the group states of a TVIEW with their sources (worker/refresh/group_states.h).
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_TVIEW_VERIFY_STATES_H_
#define PG_TVIEWS_BACKEND_TVIEW_VERIFY_STATES_H_

#include <vector>

#include "absl/status/status.h"
#include "backend/evaluation/evaluator.h"
#include "shared/definition_settings.h"
#include "shared/pg/boundary/spi.h"
#include "shared/types.h"

namespace tviews::backend {

// Adds the groups in which states of `tview` that may be read differ from their sources, under the
// snapshot of `evaluator`, at which the outbox is empty. `settings` are those of the TVIEW. Whoever
// may not read a source is told only which state differs.
absl::Status VerifyGroupStates(RelationId tview, const DefinitionSettings& settings,
                               Evaluator* evaluator, std::vector<pg::SqlRow>* differences);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_VERIFY_STATES_H_
