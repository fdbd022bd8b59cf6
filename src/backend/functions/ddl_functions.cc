// pg_tviews_explain_ddl(sql): what a command would mean for each TVIEW.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raise through pg::Enter

#include <string>
#include <vector>

#include "backend/ddl/explain_ddl.h"
#include "backend/functions/function_values.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <fmgr.h>

PG_FUNCTION_INFO_V1(tviews_explain_ddl);
#include "shared/pg/boundary/postgres_end.h"

namespace backend = tviews::backend;
namespace pg = tviews::pg;

TVIEWS_EXPORT Datum tviews_explain_ddl(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string sql, backend::TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<backend::DdlEffect> effects,
                            backend::ExplainDdl(sql));
    std::vector<pg::SqlRow> rows;
    for (const backend::DdlEffect& effect : effects) {
      rows.push_back({std::to_string(effect.tview), effect.effect,
                      effect.reason.empty() ? pg::SqlValue() : pg::SqlValue(effect.reason)});
    }
    TVIEWS_RETURN_IF_ERROR(backend::ReturnRows(fcinfo, rows));
    return Datum{0};
  });
}
