// The SQL-callable functions of a session: arguments in, one call, result out.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raise through pg::Enter

#include "shared/pg/export.h"
#include "shared/pg/guard.h"

#include "shared/pg/postgres_begin.h"
#include <utils/builtins.h>

PG_FUNCTION_INFO_V1(tviews_version);
#include "shared/pg/postgres_end.h"

namespace pg = tviews::pg;

TVIEWS_EXPORT Datum tviews_version(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return pg::Enter<Datum>(
      [] { return pg::CallFor([] { return CStringGetTextDatum(TVIEWS_VERSION); }); });
}
