// The utility hook: DDL that creates TVIEWs, or touches them or their sources.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises through pg::Enter

#ifndef PG_TVIEWS_BACKEND_DDL_UTILITY_HOOK_H_
#define PG_TVIEWS_BACKEND_DDL_UTILITY_HOOK_H_

namespace tviews::backend {

// Called once, from _PG_init.
void RegisterUtilityHook();

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_UTILITY_HOOK_H_
