// What depends on the session that asks: refused in a TVIEW's query.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_SESSION_FUNCTIONS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_SESSION_FUNCTIONS_H_

#include "shared/types.h"

struct Query;

namespace tviews::backend::lineage {

// Raises for functions that are StableKind::kSession and for SESSION_USER and the like, also in
// functions in SQL, whose bodies are read, and in defaults of parameters. `query` has been
// expanded.
void RefuseSessionFunctions(const Query* query);

// The same of what one function does, and of the defaults that a call with so many arguments takes.
void RefuseSessionFunction(Oid32 function);
void RefuseSessionDefaults(Oid32 function, int arguments);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_SESSION_FUNCTIONS_H_
