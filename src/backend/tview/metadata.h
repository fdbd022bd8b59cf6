// The rows of pg_tview_meta and pg_tview_lineage: written and deleted here.
//
// Layer:   backend
// Sharing: private to one process; tables
// Errors:  returns Status
//
// Users have no privileges on these tables: they are written as the extension's owner, under the
// latest snapshot whatever the isolation level. Every function moves the catalog's generation on.

#ifndef PG_TVIEWS_BACKEND_TVIEW_METADATA_H_
#define PG_TVIEWS_BACKEND_TVIEW_METADATA_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/lineage/query_analysis.h"
#include "shared/definition_settings.h"
#include "shared/types.h"

namespace tviews::backend {

struct TviewMetadata {
  RelationId tview = 0;
  RelationId backing_view = 0;
  std::string entity;
  std::vector<std::string> key_columns;
  std::string definition;
  std::string fill_snapshot;  // empty: the first batch fills it
  std::string fill_creator;
  Timestamp fill_clock = 0;  // what now() was for the fill; 0: it used no clock
  std::string options = {};  // members of a JSON object
  DefinitionSettings settings = {};
  Analysis analysis;
};

// Tells every process that metadata changed, or is about to: caches by invalidation, the applier by
// a change record, so that exactly the batches that see this transaction use the new graph.
absl::Status NoteMetadataChange();

absl::Status InsertMetadata(const TviewMetadata& metadata);

// Replaces what was derived from the backing view's query.
absl::Status ReplaceLineage(RelationId tview, const Analysis& analysis);

// What writers note for a TVIEW: the captured and relevant columns of each path, and the conditions
// without which a version is not noted. In order.
using CaptureShape = std::vector<std::pair<std::string, std::string>>;
CaptureShape CaptureShapeOf(const std::vector<SourceLineage>& sources);
absl::StatusOr<CaptureShape> StoredCaptureShape(RelationId tview);

// True if who writes by `stored` notes all that is noted by `wanted`, so that nobody has to wait
// for open writers where the one follows the other.
bool CapturesAll(const CaptureShape& stored, const CaptureShape& wanted);

// Gives `tview` another defining query, as text.
absl::Status ReplaceDefinition(RelationId tview, const std::string& definition);

// Leaves `tview` to be adopted again, by the applier (tview/adopt.h). Until then it does not follow
// its sources; readers wait.
absl::Status Disown(RelationId tview);

// This transaction has written all rows of `tview` anew: snapshots that do not see it cannot read
// the table any more (reading/exchanges.h). With `until_filled` the rows are not what they should
// be, and readers wait for the next batch as for that of a new TVIEW.
absl::Status NoteExchange(RelationId tview, bool until_filled);

// Forgets the keys of `tview` that are in quarantine: they are known by bytes of another type.
absl::Status ForgetDeadKeys(RelationId tview);

// Gives `tview` another entity name.
absl::Status RenameEntity(RelationId tview, const std::string& entity);

// Sets members of the TVIEW's options, as a JSON object, and removes others, as an array of texts.
absl::Status ChangeOptions(RelationId tview, const std::string& set, const std::string& reset);

// Gives `tview` other settings for its query; recomputing it is the caller's.
absl::Status ReplaceSettings(RelationId tview, const DefinitionSettings& settings);

// Deletes all that is known of `tview` and returns the sources that it read.
absl::StatusOr<std::vector<RelationId>> DeleteMetadata(RelationId tview);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_METADATA_H_
