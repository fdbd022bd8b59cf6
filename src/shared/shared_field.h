// How a field of shared memory is kept consistent where neither a lock nor an atomic says it.
//
// Layer:   core
// Sharing: none; an annotation
// Errors:  cannot fail
//
// Every field of a struct in shared memory is one of: a Shared<> (atomic), guarded by a lock
// (ABSL_GUARDED_BY, which clang++ checks), or marked TVIEWS_SHARED(protocol) with one of
//
//   set_at_start   written before the server takes connections, never again
//   set_at_birth   written by its maker before it hands the memory to another process, never again
//   own_locking    a lock, a condition variable, or a struct that is checked itself
//   versioned      readers copy it and look whether the `version` beside it has moved
//   through_atomic read and written through std::atomic_ref, as the struct's comment says
//   handed_over    the writer is done before an atomic beside it tells the reader so
//
// scripts/check_shared_fields fails where a field is none of these.

#ifndef PG_TVIEWS_SHARED_SHARED_FIELD_H_
#define PG_TVIEWS_SHARED_SHARED_FIELD_H_

#define TVIEWS_SHARED(protocol)

#endif  // PG_TVIEWS_SHARED_SHARED_FIELD_H_
