// Tells our own DDL statements from the user's.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  cannot fail
//
// Creating a TVIEW runs CREATE TABLE ... AS and ALTER TABLE on a TVIEW through SPI; the hooks that
// refuse, or react to, such statements let them pass while a scope is open.
//
// Event triggers of users see what a session creates, alters and drops, with the session's role and
// search_path. They do not see the extension's bookkeeping, which runs as somebody else under a
// pinned path: capture triggers that come and go, a view that follows its table.

#ifndef PG_TVIEWS_BACKEND_DDL_INTERNAL_DDL_H_
#define PG_TVIEWS_BACKEND_DDL_INTERNAL_DDL_H_

namespace tviews::backend {

class InternalDdlScope {
 public:
  enum Kind { kSession, kBookkeeping };

  explicit InternalDdlScope(Kind kind = kSession)
      : outer_(is_open_), outer_is_bookkeeping_(is_bookkeeping_) {
    is_open_ = true;
    is_bookkeeping_ |= kind == kBookkeeping;
  }
  ~InternalDdlScope() {
    is_open_ = outer_;
    is_bookkeeping_ = outer_is_bookkeeping_;
  }
  InternalDdlScope(const InternalDdlScope&) = delete;
  InternalDdlScope& operator=(const InternalDdlScope&) = delete;

  static bool IsOpen() { return is_open_; }
  static bool IsBookkeeping() { return is_bookkeeping_; }

 private:
  static inline bool is_open_ = false;
  static inline bool is_bookkeeping_ = false;
  const bool outer_;
  const bool outer_is_bookkeeping_;
};

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_INTERNAL_DDL_H_
