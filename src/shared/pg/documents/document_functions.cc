#include "shared/pg/documents/document_functions.h"

#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

struct Functions {
  Oid object;
  Oid array;
};

Oid FindFunction(Oid schema, const char* name, Oid argument) {
  return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
                         PointerGetDatum(buildoidvector(&argument, 1)), ObjectIdGetDatum(schema));
}

absl::StatusOr<Functions> FindFunctions() {
  TVIEWS_ASSIGN_OR_RETURN(const Oid32 schema, ExtensionSchema());
  return CallFor([schema] {
    return Functions{.object = FindFunction(schema, "pg_tviews_build_object", ANYOID),
                     .array = FindFunction(schema, "pg_tviews_build_array", JSONBOID)};
  });
}

bool Replace(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, Query)) {
    return query_tree_walker(reinterpret_cast<Query*>(node), compat::ForServer(Replace), context,
                             0);
  }
  const auto* const functions = static_cast<const Functions*>(context);
  if (IsA(node, FuncExpr)) {
    auto* const call = reinterpret_cast<FuncExpr*>(node);
    if (call->funcid == F_JSONB_BUILD_OBJECT_ANY) call->funcid = functions->object;
  } else if (IsA(node, Aggref)) {
    auto* const call = reinterpret_cast<Aggref*>(node);
    if (call->aggfnoid == F_JSONB_AGG && linitial_oid(call->aggargtypes) == JSONBOID) {
      call->aggfnoid = functions->array;
    }
  }
  return expression_tree_walker(node, compat::ForServer(Replace), context);
}

}  // namespace

void UseDocumentFunctions(Query* query) {
  Functions functions =
      Enter<Functions>([]() -> absl::StatusOr<Functions> { return FindFunctions(); });
  if (!OidIsValid(functions.object) || !OidIsValid(functions.array)) return;
  Replace(reinterpret_cast<Node*>(query), &functions);
}

}  // namespace tviews::pg
