// Memory contexts as scopes.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  MemoryScope::Make returns a Status

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_MEMORY_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_MEMORY_H_

#include "absl/status/statusor.h"

struct MemoryContextData;

namespace tviews::pg {

// A context below the current one, current while the object lives, deleted with it. When an error
// travels upwards the object is destroyed before any rollback, so the context still exists.
class MemoryScope {
 public:
  // `name` must be a literal: the context keeps the pointer.
  static absl::StatusOr<MemoryScope> Make(const char* name);

  MemoryScope(MemoryScope&& other) noexcept;
  MemoryScope& operator=(MemoryScope&&) = delete;
  ~MemoryScope();

  // Frees what the context holds.
  void Reset();
  MemoryContextData* context() const { return context_; }

 private:
  MemoryScope(MemoryContextData* context, MemoryContextData* previous)
      : context_(context), previous_(previous) {}

  MemoryContextData* context_;
  MemoryContextData* previous_;
};

// A tripwire: `context` was current when a body of C++ began that has ended now, whether it failed
// or not. Built with TVIEWS_CHECK_BOUNDARY, one that leaves another one behind is logged, and the
// log fails the run.
void CheckContextIs(const MemoryContextData* context);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_MEMORY_H_
