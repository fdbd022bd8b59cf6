// Settings that are nobody's: `app.tenant` and the like, and those of other extensions.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  returns a Status
//
// Their names have a dot. A function can read them, so they can change what a query returns; and
// what a session or its role has set does not reach the processes in which refreshes run.

#ifndef PG_TVIEWS_SHARED_PG_SERVER_CUSTOM_SETTINGS_H_
#define PG_TVIEWS_SHARED_PG_SERVER_CUSTOM_SETTINGS_H_

#include <string>

#include "absl/status/statusor.h"

namespace tviews::pg {

// One that is set for this session, its user or in this transaction; empty if none is. Those of
// pg_tviews are not meant.
absl::StatusOr<std::string> CustomSettingOfSession();

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SERVER_CUSTOM_SETTINGS_H_
