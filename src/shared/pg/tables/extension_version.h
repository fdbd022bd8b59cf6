// Whether the extension's SQL objects and the library that is loaded are of one version.
//
// Layer:   pg
// Sharing: private to one process; the answer is cached until catalogs change
// Errors:  returns Status
//
// A new package brings a new library, which the server loads when it restarts; the SQL objects of
// each database follow with ALTER EXTENSION. In between, writers go on noting their changes in the
// outbox, whose form and that of pg_tview_lineage every version reads; everything else is refused
// with what there is to do, and the applier waits.

#ifndef PG_TVIEWS_SHARED_PG_TABLES_EXTENSION_VERSION_H_
#define PG_TVIEWS_SHARED_PG_TABLES_EXTENSION_VERSION_H_

#include <string>

#include "absl/status/status.h"

namespace tviews::pg {

// OK where the versions agree or the extension is not installed; else FailedPrecondition with the
// remedy as its hint.
absl::Status CheckVersion();

// Fails if `version`, to which somebody wants to bring the SQL objects, is newer than the library.
absl::Status CheckTargetVersion(const std::string& version);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_EXTENSION_VERSION_H_
