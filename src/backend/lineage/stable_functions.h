// What the server's STABLE functions depend on besides their arguments: a table of all of them.
//
// Layer:   backend
// Sharing: immutable
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_STABLE_FUNCTIONS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_STABLE_FUNCTIONS_H_

#include "shared/types.h"

namespace tviews::backend::lineage {

enum class StableKind {
  kSettings,  // on settings, at most, which are the same wherever a definition is evaluated
  kClock,     // on the time: what now() is
  kOutside,   // on catalogs: documents keep the value of their last refresh
  kSession,   // on the process, the session, its user or its settings: there is no right value
};

// Of a function of the server that is STABLE. One that the table does not know is kOutside.
StableKind KindOfStable(Oid32 function);

// The same for a name that is called with so many arguments: true if that is kSession.
bool IsSessionFunction(const char* name, int arguments);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_STABLE_FUNCTIONS_H_
