// A number in shared memory that many processes change and read without a lock.
//
// Layer:   core
// Sharing: shared memory; every access is atomic and sequentially consistent
// Errors:  cannot fail
//
// Plain bytes (trivially copyable, standard layout), unlike std::atomic, so that structs of these
// can be zeroed and described as what they are.

#ifndef PG_TVIEWS_SHARED_SHARED_COUNTER_H_
#define PG_TVIEWS_SHARED_SHARED_COUNTER_H_

#include <cstdint>
#include <type_traits>

namespace tviews {

template <typename T>
struct Shared {
  T value;

  T Load() const { return __atomic_load_n(&value, __ATOMIC_SEQ_CST); }
  void Store(T v) { __atomic_store_n(&value, v, __ATOMIC_SEQ_CST); }
  // Without an order to other stores: for numbers that stand alone.
  void StoreRelaxed(T v) { __atomic_store_n(&value, v, __ATOMIC_RELAXED); }
  // The value after the addition.
  T Add(T n) { return __atomic_add_fetch(&value, n, __ATOMIC_SEQ_CST); }
  // The value before.
  T Exchange(T v) { return __atomic_exchange_n(&value, v, __ATOMIC_SEQ_CST); }
};

using SharedCounter = Shared<std::uint64_t>;
using SharedNumber = Shared<std::int32_t>;
using SharedFlag = Shared<std::uint32_t>;

static_assert(std::is_trivially_copyable_v<SharedCounter>);
static_assert(std::is_standard_layout_v<SharedCounter>);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_SHARED_COUNTER_H_
