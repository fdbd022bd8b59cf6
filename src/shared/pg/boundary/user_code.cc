#include "shared/pg/boundary/user_code.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/transam.h>
#include <catalog/dependency.h>
#include <catalog/pg_language.h>
#include <catalog/pg_proc.h>
#include <commands/extension.h>
#include <fmgr.h>
#include <miscadmin.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {

#ifdef TVIEWS_CHECK_BOUNDARY
namespace {

needs_fmgr_hook_type next_needs_hook = nullptr;
fmgr_hook_type next_hook = nullptr;

bool IsInScope() { return InSecurityRestrictedOperation(); }

bool IsInSql(Oid function) {
  HeapTuple const tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return false;
  const Oid language = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->prolang;
  ReleaseSysCache(tuple);
  return language == SQLlanguageId;
}

// A function in SQL that is watched is not inlined, which changes plans. Where the planner asks,
// in a scope, it need not be watched.
bool NeedsHook(Oid function) {
  if (next_needs_hook != nullptr && next_needs_hook(function)) return true;
  if (function < FirstNormalObjectId) return false;
  return !IsInScope() || !IsInSql(function);
}

void Watch(FmgrHookEventType event, FmgrInfo* function, Datum* argument) {
  if (next_hook != nullptr) next_hook(event, function, argument);
  const Oid id = function->fn_oid;
  if (event != FHET_START || IsInScope() || id < FirstNormalObjectId) return;
  const Oid extension = getExtensionOfObject(ProcedureRelationId, id);
  if (OidIsValid(extension) && extension == get_extension_oid("pg_tviews", true)) return;
  ereport(LOG, (errmsg("user-defined function \"%s\" is entered as \"%s\" outside a definition",
                       get_func_name(id), GetUserNameFromId(GetUserId(), true))));
}

}  // namespace

void WatchUserCode() {
  next_needs_hook = needs_fmgr_hook;
  needs_fmgr_hook = NeedsHook;
  next_hook = fmgr_hook;
  fmgr_hook = Watch;
}
#else
void WatchUserCode() {}
#endif

}  // namespace tviews::pg
