// A module for tests: functions in C that do what a definition must not.

#include "shared/pg/boundary/export.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <signal.h>

#include <fmgr.h>
#include <miscadmin.h>
#include <storage/ipc.h>
#include <utils/timestamp.h>
PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(rude_exit);
PG_FUNCTION_INFO_V1(rude_fatal);
PG_FUNCTION_INFO_V1(rude_spin);
PG_FUNCTION_INFO_V1(rude_hold_cancel);
PG_FUNCTION_INFO_V1(rude_release);
#include "shared/pg/boundary/postgres_end.h"

// Ends the process with that code.
TVIEWS_EXPORT Datum rude_exit(PG_FUNCTION_ARGS) { proc_exit(PG_GETARG_INT32(0)); }

TVIEWS_EXPORT Datum rude_fatal(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  ereport(FATAL, (errmsg("a rude function has had enough")));
  return Datum{0};
}

// Computes for so many milliseconds and looks for no interrupt meanwhile.
TVIEWS_EXPORT Datum rude_spin(PG_FUNCTION_ARGS) {
  const TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PG_GETARG_INT32(0));
  while (GetCurrentTimestamp() < end) {
  }
  return Datum{0};
}

// Cancels what this process runs, once, and keeps it from noticing until rude_release: as a cancel
// does that comes when nothing looks any more.
TVIEWS_EXPORT Datum rude_hold_cancel(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  static bool has_cancelled = false;
  if (has_cancelled) return Datum{0};
  has_cancelled = true;
  InterruptHoldoffCount = InterruptHoldoffCount + 1;
  kill(MyProcPid, SIGINT);
  return Datum{0};
}

TVIEWS_EXPORT Datum rude_release(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  if (InterruptHoldoffCount > 0) InterruptHoldoffCount = InterruptHoldoffCount - 1;
  CHECK_FOR_INTERRUPTS();
  return Datum{0};
}
