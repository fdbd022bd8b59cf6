#include "shared/pg/server/settings.h"

#include <climits>
#include <cstddef>
#include <cstring>

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/guc.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg::settings {

int applier_idle_timeout = 300;
int audit_log_retention = -1;
int audit_rate = 10;
int batch_memory = 256 * 1024;
bool enabled = true;
char* fail_at = nullptr;
int feed_consumer_max_age = 30 * 24 * 3600;
int feed_consumer_max_rows = 10000000;
int feed_retention = 7 * 24 * 3600;
double fill_budget = 0.5;
int graph_cache_size = 1000;
int lock_timeout = 1000;
bool logical_messages = false;
int max_databases = 8;
int max_helpers = 2;
int max_lanes = 8;
int max_workers = 4;
bool notice_lineage = true;
char* pause_at = nullptr;
int performance_log_min_duration = 100;
int performance_log_retention = 7 * 24 * 60;
double performance_log_sample_rate = 0.01;
int prepared_stmt_cache_size = 500;
bool protect = true;
int queue_size = 4096;
int drop_cascade = kWarn;
int read_consistency = kSession;
int read_timeout = 30 * 1000;
int refresh_memory = 4 * 1024 * 1024;
int refresh_timeout = 5 * 60 * 1000;
int stats_tviews = 1000;
char* table_prefix = nullptr;
int transaction_memory = 64 * 1024;

namespace {

struct IntSetting {
  const char* name;
  const char* description;
  int* variable;
  int minimum;
  int maximum;
  GucContext context;
  int unit;
};

struct BoolSetting {
  const char* name;
  const char* description;
  bool* variable;
  GucContext context;
};

const IntSetting int_settings[] = {
    {"pg_tviews.applier_idle_timeout", "Time without work after which an applier ends.",
     &applier_idle_timeout, 1, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S},
    {"pg_tviews.audit_log_retention", "Time that rows of pg_tview_audit_log are kept.",
     &audit_log_retention, -1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN},
    {"pg_tviews.audit_rate", "Keys per second that are compared with the defining query; 0: none.",
     &audit_rate, 0, 10000, PGC_SIGHUP, 0},
    {"pg_tviews.batch_memory", "Memory for the deltas and keys of a batch.", &batch_memory, 64,
     MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB},
    {"pg_tviews.feed_consumer_max_age",
     "Age of rows of pg_tview_feed from which on they stay for no consumer; 0: they stay.",
     &feed_consumer_max_age, 0, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S},
    {"pg_tviews.feed_consumer_max_rows", "Rows of pg_tview_feed that stay for a consumer; 0: all.",
     &feed_consumer_max_rows, 0, INT_MAX, PGC_SIGHUP, 0},
    {"pg_tviews.feed_retention",
     "Time after which rows of pg_tview_feed are removed; 0 keeps them.", &feed_retention, 0,
     INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S},
    {"pg_tviews.graph_cache_size",
     "Tables of which a session remembers what TVIEWs need of their changes.", &graph_cache_size,
     100, 100000, PGC_SIGHUP, 0},
    {"pg_tviews.lock_timeout", "Time that a batch waits for a lock before it is tried again.",
     &lock_timeout, 10, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS},
    {"pg_tviews.max_databases", "Databases with TVIEWs that have a change queue at a time.",
     &max_databases, 1, 1024, PGC_POSTMASTER, 0},
    {"pg_tviews.max_helpers", "Processes that help an applier with a large batch.", &max_helpers, 0,
     64, PGC_SIGHUP, 0},
    {"pg_tviews.max_lanes", "Lanes of one database, beside its main one.", &max_lanes, 0, 64,
     PGC_POSTMASTER, 0},
    {"pg_tviews.max_workers", "Appliers that run at a time.", &max_workers, 1, 256, PGC_POSTMASTER,
     0},
    {"pg_tviews.performance_log_min_duration",
     "Time from which on every refresh of a TVIEW is written to pg_tview_performance_log.",
     &performance_log_min_duration, -1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS},
    {"pg_tviews.performance_log_retention", "Time that rows of pg_tview_performance_log are kept.",
     &performance_log_retention, -1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN},
    {"pg_tviews.prepared_stmt_cache_size", "Statements that an applier or a helper keeps prepared.",
     &prepared_stmt_cache_size, 50, 10000, PGC_SIGHUP, 0},
    {"pg_tviews.queue_size", "Size of the change queue of one database.", &queue_size, 8,
     1024 * 1024, PGC_POSTMASTER, GUC_UNIT_KB},
    {"pg_tviews.read_timeout",
     "Time that a statement waits for the TVIEWs it reads before it fails; 0 for ever.",
     &read_timeout, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS},
    {"pg_tviews.refresh_memory",
     "Memory that the refresh of one TVIEW may take before it is left behind; 0: no limit.",
     &refresh_memory, 0, MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB},
    {"pg_tviews.refresh_timeout",
     "Time that one TVIEW may take in a batch before it is left behind; 0: no limit.",
     &refresh_timeout, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS},
    {"pg_tviews.stats_tviews", "TVIEWs whose statistics are kept in shared memory.", &stats_tviews,
     1, 100000, PGC_POSTMASTER, 0},
    {"pg_tviews.transaction_memory",
     "Memory for the changes that one transaction notes; beyond it, a changed table counts as "
     "changed as a whole.",
     &transaction_memory, 64, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB},
};

const BoolSetting bool_settings[] = {
    {"pg_tviews.enabled", "Starts appliers.", &enabled, PGC_SIGHUP},
    {"pg_tviews.logical_messages", "Writes a message about each batch into the logical stream.",
     &logical_messages, PGC_SIGHUP},
    {"pg_tviews.notice_lineage", "Reports the refresh strategy of each source at creation.",
     &notice_lineage, PGC_USERSET},
    {"pg_tviews.protect", "Refuses changes of TVIEWs by anyone but the appliers.", &protect,
     PGC_SUSET},
};

const config_enum_entry drop_cascades[] = {
    {"warn", kWarn, false},
    {"error", kError, false},
    {nullptr, 0, false},
};

const config_enum_entry read_consistencies[] = {
    {"session", kSession, false},
    {"strict", kStrict, false},
    {"eventual", kEventual, false},
    {nullptr, 0, false},
};

// Names of TVIEWs have to leave room for an entity.
constexpr std::size_t kLongestPrefix = 31;

bool CheckTablePrefix(char** value, void** /*extra*/, GucSource /*source*/) {
  if (strlen(*value) <= kLongestPrefix) return true;
  GUC_check_errdetail("A prefix has at most %d bytes.", static_cast<int>(kLongestPrefix));
  return false;
}

}  // namespace

void RegisterSettings() {
  for (const IntSetting& s : int_settings) {
    DefineCustomIntVariable(s.name, s.description, nullptr, s.variable, *s.variable, s.minimum,
                            s.maximum, s.context, s.unit, nullptr, nullptr, nullptr);
  }
  for (const BoolSetting& s : bool_settings) {
    DefineCustomBoolVariable(s.name, s.description, nullptr, s.variable, *s.variable, s.context, 0,
                             nullptr, nullptr, nullptr);
  }
  DefineCustomRealVariable(
      "pg_tviews.fill_budget",
      "Share of the applier's time in which it fills TVIEWs that were created without data.",
      nullptr, &fill_budget, fill_budget, 0, 1, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomRealVariable("pg_tviews.performance_log_sample_rate",
                           "Share of the shorter refreshes that are written to "
                           "pg_tview_performance_log.",
                           nullptr, &performance_log_sample_rate, performance_log_sample_rate, 0, 1,
                           PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable(
      "pg_tviews.drop_cascade", "What a command does that drops TVIEWs by CASCADE.",
      "warn: a WARNING for each, with the statement that brings it back; "
      "error: it fails.",
      &drop_cascade, drop_cascade, drop_cascades, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable(
      "pg_tviews.fail_at", "Names of points at which a process fails, each with an SQLSTATE.",
      "For tests.", &fail_at, "", PGC_SUSET, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
  DefineCustomStringVariable(
      "pg_tviews.pause_at", "Names of pause points at which a process takes an advisory lock.",
      "For tests.", &pause_at, "", PGC_SUSET, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable(
      "pg_tviews.read_consistency", "What a statement that reads a TVIEW waits for.",
      "session: this session's own commits; strict: everybody's; eventual: nothing.",
      &read_consistency, read_consistency, read_consistencies, PGC_USERSET, 0, nullptr, nullptr,
      nullptr);
  DefineCustomStringVariable("pg_tviews.table_prefix",
                             "How names of tables begin that CREATE TABLE AS makes TVIEWs of.",
                             "Empty: TVIEWs are created by option or function only.", &table_prefix,
                             "tv_", PGC_USERSET, 0, CheckTablePrefix, nullptr, nullptr);
  MarkGUCPrefixReserved("pg_tviews");
}

}  // namespace tviews::pg::settings
