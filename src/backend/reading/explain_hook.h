// EXPLAIN ANALYZE of a statement that waited for TVIEWs says for how long.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises what planning and the statement raise

#ifndef PG_TVIEWS_BACKEND_READING_EXPLAIN_HOOK_H_
#define PG_TVIEWS_BACKEND_READING_EXPLAIN_HOOK_H_

namespace tviews::backend {

void RegisterExplainHook();

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_EXPLAIN_HOOK_H_
