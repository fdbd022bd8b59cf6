// Tells our own DDL statements from the user's.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  cannot fail
//
// Creating a TVIEW runs CREATE TABLE ... AS and ALTER TABLE on a TVIEW through SPI; the hooks that
// refuse, or react to, such statements let them pass while a scope is open.

#ifndef PG_TVIEWS_BACKEND_DDL_INTERNAL_DDL_H_
#define PG_TVIEWS_BACKEND_DDL_INTERNAL_DDL_H_

namespace tviews::backend {

class InternalDdlScope {
 public:
  InternalDdlScope() : outer_(is_open_) { is_open_ = true; }
  ~InternalDdlScope() { is_open_ = outer_; }
  InternalDdlScope(const InternalDdlScope&) = delete;
  InternalDdlScope& operator=(const InternalDdlScope&) = delete;

  static bool IsOpen() { return is_open_; }

 private:
  static inline bool is_open_ = false;
  const bool outer_;
};

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_INTERNAL_DDL_H_
