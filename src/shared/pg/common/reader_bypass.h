// Reading TVIEWs without waiting for them.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_PG_COMMON_READER_BYPASS_H_
#define PG_TVIEWS_SHARED_PG_COMMON_READER_BYPASS_H_

namespace tviews::pg {

// While an object lives, statements read TVIEWs as their snapshot shows them: nothing waits and no
// snapshot is replaced. For the initial fill, which would wait for an applier that may itself wait
// for this transaction's locks (ATTACKS A2), for comparisons under a chosen snapshot, and for the
// extension's own SQL (spi.h).
class ReaderBypass {
 public:
  ReaderBypass() : outer_(is_active_) { is_active_ = true; }
  ~ReaderBypass() { is_active_ = outer_; }
  ReaderBypass(const ReaderBypass&) = delete;
  ReaderBypass& operator=(const ReaderBypass&) = delete;

  static bool IsActive() { return is_active_; }

 private:
  static inline bool is_active_ = false;
  const bool outer_;
};

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_COMMON_READER_BYPASS_H_
