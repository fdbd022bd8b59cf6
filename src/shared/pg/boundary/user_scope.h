// Running a piece of work as another user, for as long as an object lives.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  the makers return a Status
//
// Scopes nest and end in reverse order. When an error travels upwards the object is destroyed
// before any rollback; the rollback would restore the same state.

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_USER_SCOPE_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_USER_SCOPE_H_

#include <optional>

#include "absl/status/statusor.h"
#include "shared/definition_settings.h"
#include "shared/pg/server/evaluation_clock.h"
#include "shared/types.h"

namespace tviews::pg {

class UserScope {
 public:
  // For what a definition executes: as `owner`, in a security-restricted operation, with
  // search_path = pg_catalog, pg_temp and the settings that the definition keeps. Settings that the
  // definition changes are undone at the end. Where it uses the clock, now() is the frontier's time
  // (server/evaluation_clock.h).
  static absl::StatusOr<UserScope> AsDefinitionOwner(RoleId owner,
                                                     const DefinitionSettings& settings);

  // Called once in a process of ours, in which no role has a session. There the owner of what is
  // evaluated is also the session user, so that functions which look at that (SECURITY DEFINER)
  // do not see the superuser as whom the process has connected.
  static void OwnThisProcess();

  // For writes to the extension's tables and for triggers on sources, on which users need no
  // privileges: as the owner of the extension.
  static absl::StatusOr<UserScope> AsExtensionOwner();

  // For commands that make what `owner` has defined, on behalf of somebody else: as `owner`, in a
  // security-restricted operation, with the caller's settings.
  static absl::StatusOr<UserScope> ForDdlOf(RoleId owner);

  // True if whoever has this session may not act as `owner`, and has made temporary objects, which
  // functions with a search_path of their own find before others: no code of `owner` may run here.
  // Inside Call.
  static bool IsSessionPreparedAgainst(RoleId owner);

  UserScope(UserScope&& other) noexcept;
  UserScope& operator=(UserScope&&) = delete;
  ~UserScope();

 private:
  static absl::StatusOr<UserScope> Make(RoleId user, int added_context);
  UserScope(RoleId user, int security_context, int guc_level)
      : user_(user), security_context_(security_context), guc_level_(guc_level) {}

  RoleId user_;  // to return to
  int security_context_;
  RoleId session_user_ = 0;  // to return to; 0: it has not been changed
  int guc_level_;
  std::optional<Beginnings> beginnings_;  // to return to, if they have been changed
  bool is_active_ = true;
};

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_USER_SCOPE_H_
