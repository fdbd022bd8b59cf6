#include "shared/pg/server/repack.h"

#include <cstring>

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/dependency.h>
#include <catalog/pg_proc.h>
#include <commands/extension.h>
#include <utils/guc.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr char kName[] = "pg_repack";  // of the extension, and of its program's sessions

}  // namespace

bool IsOfRepack(Oid32 function) {
  const Oid extension = getExtensionOfObject(ProcedureRelationId, function);
  return OidIsValid(extension) && extension == get_extension_oid(kName, true);
}

bool IsRepackSession() {
  return application_name != nullptr && std::strcmp(application_name, kName) == 0 &&
         OidIsValid(get_extension_oid(kName, true));
}

}  // namespace tviews::pg
