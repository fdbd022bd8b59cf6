// A tripwire for functions of users that a worker enters as itself.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  cannot fail
//
// A worker is the bootstrap superuser. What users define - functions of their types, domains,
// casts, operator classes and definitions - it may run as the owner of a TVIEW only, in a
// security-restricted operation (UserScope::AsDefinitionOwner). Built with TVIEWS_CHECK_BOUNDARY,
// everything else is logged, and the log fails the run.

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_USER_CODE_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_USER_CODE_H_

namespace tviews::pg {

// Called once by every worker, at its start.
void WatchUserCode();

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_USER_CODE_H_
