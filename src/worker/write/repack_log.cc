#include "worker/write/repack_log.h"

#include "shared/pg/server/repack.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_trigger.h>
#include <commands/trigger.h>
#include <executor/tuptable.h>
#include <fmgr.h>
#include <nodes/execnodes.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include <utils/reltrigger.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

struct RepackLog {
  Relation relation;
  Trigger* trigger;
  FmgrInfo function;
  MemoryContext row_context;
};

RepackLog* OpenRepackLog(const ResultRelInfo* tview) {
  const TriggerDesc* const all = tview->ri_TrigDesc;
  for (int i = 0; all != nullptr && i < all->numtriggers; ++i) {
    Trigger* const trigger = &all->triggers[i];
    if (!TRIGGER_FOR_ROW(trigger->tgtype) || !TRIGGER_FOR_AFTER(trigger->tgtype)) continue;
    if (!pg::IsOfRepack(trigger->tgfoid)) continue;
    auto* const log = static_cast<RepackLog*>(palloc0(sizeof(RepackLog)));
    log->relation = tview->ri_RelationDesc;
    log->trigger = trigger;
    fmgr_info(trigger->tgfoid, &log->function);
    log->row_context =
        AllocSetContextCreate(CurrentMemoryContext, "pg_tviews repack", ALLOCSET_DEFAULT_SIZES);
    return log;
  }
  return nullptr;
}

void LogRow(RepackLog* log, TupleTableSlot* old_row, TupleTableSlot* new_row) {
  MemoryContext const previous = MemoryContextSwitchTo(log->row_context);
  TupleTableSlot* const only = old_row != nullptr ? old_row : new_row;
  const TriggerEvent what = old_row == nullptr   ? TRIGGER_EVENT_INSERT
                            : new_row == nullptr ? TRIGGER_EVENT_DELETE
                                                 : TRIGGER_EVENT_UPDATE;
  TriggerData data{};
  data.type = T_TriggerData;
  data.tg_event = what | TRIGGER_EVENT_ROW;  // after the row
  data.tg_relation = log->relation;
  data.tg_trigger = log->trigger;
  data.tg_trigslot = only;
  data.tg_trigtuple = ExecCopySlotHeapTuple(only);
  if (what == TRIGGER_EVENT_UPDATE) {
    data.tg_newslot = new_row;
    data.tg_newtuple = ExecCopySlotHeapTuple(new_row);
  }
  LOCAL_FCINFO(call, 0);
  InitFunctionCallInfoData(*call, &log->function, 0, InvalidOid, reinterpret_cast<Node*>(&data),
                           nullptr);
  FunctionCallInvoke(call);
  MemoryContextSwitchTo(previous);
  MemoryContextReset(log->row_context);
}

}  // namespace tviews::worker
