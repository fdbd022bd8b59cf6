#include "shared/pg/boundary/user_scope.h"

#include <utility>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <catalog/namespace.h>
#include <catalog/pg_class.h>
#include <miscadmin.h>
#include <utils/acl.h>
#include <utils/guc.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr char kSafePath[] = "pg_catalog, pg_temp";

Oid OwnerOf(Oid relation) {
  HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for relation %u", relation);
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relowner;
  ReleaseSysCache(row);
  return owner;
}

bool is_process_of_ours = false;

// Raises for a role that does not exist. Ends as the user `user`, in no security context.
void BecomeSessionUser(Oid user) {
  const bool is_superuser = superuser_arg(user);
  SetUserIdAndSecContext(user, 0);
  SetSessionAuthorization(user, is_superuser);
}

}  // namespace

void UserScope::OwnThisProcess() { is_process_of_ours = true; }

absl::StatusOr<UserScope> UserScope::Make(RoleId user, int added_context) {
  Oid current = InvalidOid;
  int context = 0;
  GetUserIdAndSecContext(&current, &context);
  UserScope scope(current, context, NewGUCNestLevel());
  TVIEWS_RETURN_IF_ERROR(Call([] {
    // Workers run with this path anyway; setting it again would throw away what is derived from it.
    if (strcmp(namespace_search_path, kSafePath) == 0) return;
    set_config_option("search_path", kSafePath, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
                      0, false);
  }));
  SetUserIdAndSecContext(user, context | added_context);
  return scope;
}

absl::StatusOr<UserScope> UserScope::AsDefinitionOwner(RoleId owner,
                                                       const DefinitionSettings& settings) {
  TVIEWS_ASSIGN_OR_RETURN(UserScope scope, Make(owner, SECURITY_RESTRICTED_OPERATION));
  TVIEWS_RETURN_IF_ERROR(Call([&] { ApplySettings(settings); }));
  if (const Timestamp time = ClockOf(settings); time != 0) {
    scope.beginnings_ = CurrentBeginnings();
    PretendToHaveBegun({time, time});
  }
  if (!is_process_of_ours || GetSessionUserId() == owner) return scope;
  scope.session_user_ = GetSessionUserId();
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    Oid user = InvalidOid;
    int context = 0;
    GetUserIdAndSecContext(&user, &context);
    BecomeSessionUser(owner);
    SetUserIdAndSecContext(user, context);
  }));
  return scope;
}

absl::StatusOr<UserScope> UserScope::AsExtensionOwner() {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId meta, CatalogTableId(CatalogTable::kMeta));
  Oid owner = InvalidOid;
  TVIEWS_RETURN_IF_ERROR(Call([&] { owner = OwnerOf(meta); }));
  return Make(owner, SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
}

absl::StatusOr<UserScope> UserScope::ForDdlOf(RoleId owner) {
  Oid current = InvalidOid;
  int context = 0;
  GetUserIdAndSecContext(&current, &context);
  UserScope scope(current, context, NewGUCNestLevel());
  SetUserIdAndSecContext(owner, context | SECURITY_RESTRICTED_OPERATION);
  return scope;
}

bool UserScope::IsSessionPreparedAgainst(RoleId owner) {
  Oid temporary = InvalidOid;
  Oid temporary_toast = InvalidOid;
  GetTempNamespaceState(&temporary, &temporary_toast);
  return OidIsValid(temporary) && !has_privs_of_role(GetOuterUserId(), owner);
}

UserScope::UserScope(UserScope&& other) noexcept
    : user_(other.user_),
      security_context_(other.security_context_),
      session_user_(other.session_user_),
      guc_level_(other.guc_level_),
      beginnings_(other.beginnings_),
      is_active_(std::exchange(other.is_active_, false)) {}

UserScope::~UserScope() {
  if (!is_active_) return;
  AtEOXact_GUC(false, guc_level_);
  if (beginnings_.has_value()) PretendToHaveBegun(*beginnings_);
  // A statement that has failed in a parallel plan is still in it, where settings cannot change:
  // the session user then stays until the next scope.
  if (session_user_ != 0 && !IsInParallelMode()) {
    Call([this] { BecomeSessionUser(session_user_); }).IgnoreError();
  }
  SetUserIdAndSecContext(user_, security_context_);
}

}  // namespace tviews::pg
