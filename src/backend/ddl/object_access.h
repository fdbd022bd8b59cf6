// The object-access hook: relations that are dropped by whatever command.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises through pg::Enter

#ifndef PG_TVIEWS_BACKEND_DDL_OBJECT_ACCESS_H_
#define PG_TVIEWS_BACKEND_DDL_OBJECT_ACCESS_H_

namespace tviews::backend {

// Called once, from _PG_init.
void RegisterObjectAccessHook();

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_OBJECT_ACCESS_H_
