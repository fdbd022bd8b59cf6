#include "shared/pg/boundary/memory.h"

#include <utility>

#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/memutils.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {

absl::StatusOr<MemoryScope> MemoryScope::Make(const char* name) {
  MemoryContext created = nullptr;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    created = AllocSetContextCreateInternal(CurrentMemoryContext, name, ALLOCSET_DEFAULT_SIZES);
  }));
  return MemoryScope(created, MemoryContextSwitchTo(created));
}

MemoryScope::MemoryScope(MemoryScope&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)), previous_(other.previous_) {}

MemoryScope::~MemoryScope() {
  if (context_ == nullptr) return;
  if (CurrentMemoryContext == context_) MemoryContextSwitchTo(previous_);
  MemoryContextDelete(context_);
}

void MemoryScope::Reset() { MemoryContextReset(context_); }

#ifdef TVIEWS_CHECK_BOUNDARY
void CheckContextIs(const MemoryContextData* context) {
  if (CurrentMemoryContext == context) return;
  Call([] {
    ereport(LOG, (errmsg("memory context \"%s\" was left behind", CurrentMemoryContext->name)));
  }).IgnoreError();
}
#else
void CheckContextIs(const MemoryContextData*) {}
#endif

}  // namespace tviews::pg
