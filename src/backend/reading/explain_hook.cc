#include "backend/reading/explain_hook.h"

#include "backend/reading/reader_wait.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <commands/explain.h>
#include <executor/instrument.h>
#include <portability/instr_time.h>
#include <tcop/tcopprot.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

ExplainOneQuery_hook_type previous = nullptr;

#if PG_VERSION_NUM < 170000
// As the server does it, which has no name for it before 17.
void standard_ExplainOneQuery(Query* query, int cursor_options, IntoClause* into, ExplainState* es,
                              const char* text, ParamListInfo params, QueryEnvironment* env) {
  const BufferUsage before = pgBufferUsage;
  instr_time begin;
  INSTR_TIME_SET_CURRENT(begin);
  PlannedStmt* const plan = pg_plan_query(query, text, cursor_options, params);
  instr_time took;
  INSTR_TIME_SET_CURRENT(took);
  INSTR_TIME_SUBTRACT(took, begin);
  BufferUsage used = {};
  BufferUsageAccumDiff(&used, &pgBufferUsage, &before);
  ExplainOnePlan(plan, into, es, text, params, env, &took, es->buffers ? &used : nullptr);
}
#endif

void OnExplain(Query* query, int cursor_options, IntoClause* into, ExplainState* es,
               const char* text, ParamListInfo params, QueryEnvironment* env) {
  if (previous != nullptr) {
    previous(query, cursor_options, into, es, text, params, env);
  } else {
    standard_ExplainOneQuery(query, cursor_options, into, es, text, params, env);
  }
  const double waited = static_cast<double>(WaitedInStatement()) / 1000;
  // Other formats have closed the statement's group.
  if (es->analyze && es->summary && es->format == EXPLAIN_FORMAT_TEXT && waited > 0) {
    ExplainPropertyFloat("Wait for TVIEWs", "ms", waited, 3, es);
  }
}

}  // namespace

void RegisterExplainHook() {
  previous = ExplainOneQuery_hook;
  ExplainOneQuery_hook = OnExplain;
}

}  // namespace tviews::backend
