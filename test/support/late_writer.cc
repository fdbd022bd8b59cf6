// A module for one test: executes the setting late_writer.sql in its own PRE_COMMIT callback.
//
// Loaded before pg_tviews, its callback runs after that of pg_tviews (the server calls the newest
// first): what it writes comes after the transaction's change record (ATTACKS A17).

#include "shared/pg/boundary/export.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <executor/spi.h>
#include <utils/guc.h>
#include <utils/snapmgr.h>
PG_MODULE_MAGIC;
#include "shared/pg/boundary/postgres_end.h"

namespace {

char* sql = nullptr;

void AtTransactionEvent(XactEvent event, void*) {
  if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE) return;
  if (sql == nullptr || sql[0] == '\0') return;
  PushActiveSnapshot(GetTransactionSnapshot());
  SPI_connect();
  SPI_execute(sql, false, 0);
  SPI_finish();
  PopActiveSnapshot();
}

}  // namespace

TVIEWS_EXPORT void _PG_init(void);
TVIEWS_EXPORT void _PG_init(void) {
  DefineCustomStringVariable("late_writer.sql", "Executed at the end of each transaction.", nullptr,
                             &sql, "", PGC_USERSET, 0, nullptr, nullptr, nullptr);
  RegisterXactCallback(AtTransactionEvent, nullptr);
}
