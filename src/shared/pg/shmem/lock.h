// The server's lightweight locks as a type that Clang's thread-safety analysis understands.
//
// Layer:   pg
// Sharing: shared memory
// Errors:  cannot fail; acquiring counts as holding off interrupts until release
//
// Lock order is written in shmem.h. Under a lock: no allocation, no logging, no waiting, no Call.

#ifndef PG_TVIEWS_SHARED_PG_SHMEM_LOCK_H_
#define PG_TVIEWS_SHARED_PG_SHMEM_LOCK_H_

#include "absl/base/thread_annotations.h"
#include "shared/shared_field.h"

struct LWLock;

namespace tviews::pg {

class ABSL_LOCKABLE SharedLock {
 public:
  // Ties the lock to an LWLock of one of our tranches. By shared-memory initialisation only.
  void Attach(LWLock* lock) { lock_ = lock; }

  void Acquire() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  void AcquireShared() ABSL_SHARED_LOCK_FUNCTION();
  void Release() ABSL_UNLOCK_FUNCTION();

 private:
  LWLock* lock_
      TVIEWS_SHARED(set_at_start);  // in main shared memory: the same address in every process
};

class ABSL_SCOPED_LOCKABLE ExclusiveHolder {
 public:
  explicit ExclusiveHolder(SharedLock& lock) ABSL_EXCLUSIVE_LOCK_FUNCTION(lock) : lock_(lock) {
    lock_.Acquire();
  }
  ~ExclusiveHolder() ABSL_UNLOCK_FUNCTION() { lock_.Release(); }
  ExclusiveHolder(const ExclusiveHolder&) = delete;
  ExclusiveHolder& operator=(const ExclusiveHolder&) = delete;

 private:
  SharedLock& lock_;
};

class ABSL_SCOPED_LOCKABLE ReadHolder {
 public:
  explicit ReadHolder(SharedLock& lock) ABSL_SHARED_LOCK_FUNCTION(lock) : lock_(lock) {
    lock_.AcquireShared();
  }
  ~ReadHolder() ABSL_UNLOCK_FUNCTION() { lock_.Release(); }
  ReadHolder(const ReadHolder&) = delete;
  ReadHolder& operator=(const ReadHolder&) = delete;

 private:
  SharedLock& lock_;
};

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SHMEM_LOCK_H_
