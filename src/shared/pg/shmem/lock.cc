#include "shared/pg/shmem/lock.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <storage/lwlock.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {

void SharedLock::Acquire() { LWLockAcquire(lock_, LW_EXCLUSIVE); }
void SharedLock::AcquireShared() { LWLockAcquire(lock_, LW_SHARED); }
void SharedLock::Release() { LWLockRelease(lock_); }

}  // namespace tviews::pg
