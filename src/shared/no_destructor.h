// A static that is built on first use and never destroyed.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail
//
// A server process runs static destructors after shared memory is detached, or not at all; objects
// that live as long as the process are therefore held in one of these.

#ifndef PG_TVIEWS_SHARED_NO_DESTRUCTOR_H_
#define PG_TVIEWS_SHARED_NO_DESTRUCTOR_H_

#include <new>
#include <utility>

namespace tviews {

template <typename T>
class NoDestructor {
 public:
  template <typename... Args>
  explicit NoDestructor(Args&&... args) {
    new (&storage_) T(std::forward<Args>(args)...);
  }
  NoDestructor(const NoDestructor&) = delete;
  NoDestructor& operator=(const NoDestructor&) = delete;

  T& operator*() { return *get(); }
  T* operator->() { return get(); }
  T* get() { return std::launder(reinterpret_cast<T*>(&storage_)); }

 private:
  alignas(T) unsigned char storage_[sizeof(T)];
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_NO_DESTRUCTOR_H_
