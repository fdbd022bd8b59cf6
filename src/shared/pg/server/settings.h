// Every setting, alphabetically.
//
// Layer:   pg
// Sharing: private to one process; the server fills the variables from its configuration
// Errors:  RegisterSettings raises through Enter only
//
// Names, units, defaults and advice: docs/reference/configuration.md (a script keeps the two in
// step).

#ifndef PG_TVIEWS_SHARED_PG_SERVER_SETTINGS_H_
#define PG_TVIEWS_SHARED_PG_SERVER_SETTINGS_H_

namespace tviews::pg::settings {

// What a statement that reads a TVIEW waits for.
enum ReadConsistency : int { kEventual, kSession, kStrict };

// What a command does that drops TVIEWs by CASCADE.
enum DropCascade : int { kWarn, kError };

extern int applier_idle_timeout;    // s; an applier without work for this long ends
extern int audit_log_retention;     // min; age of rows that leave pg_tview_audit_log; -1: never
extern int audit_rate;              // keys per second that are audited; 0: none
extern int batch_memory;            // kB; memory for a batch's deltas and keys
extern int drop_cascade;            // a DropCascade
extern bool enabled;                // launch workers at all
extern char* fail_at;               // debug: where a process fails, and how
extern int feed_consumer_max_age;   // s; rows older than that stay for no consumer; 0: they do
extern int feed_consumer_max_rows;  // rows that stay for a consumer; 0: all
extern int feed_retention;          // s; age of rows that leave the change feed; 0: never
extern double fill_budget;          // share of an applier's time for fills; 0: none
extern int graph_cache_size;        // entries of a session's graph cache
extern int lock_timeout;            // ms; how long a batch waits for somebody's lock
extern bool logical_messages;       // each batch says so in the logical stream
extern int max_databases;           // slots in shared memory
extern int max_helpers;             // processes that help with one large batch
extern int max_lanes;               // of one database, beside its main one
extern int max_workers;             // appliers at the same time
extern bool notice_lineage;         // NOTICE per source at creation
extern char* pause_at;              // debug: comma-separated names of pause points
extern int performance_log_min_duration;    // ms; refreshes that are always logged; -1: none
extern int performance_log_retention;       // min; how long they stay in the log; -1: for ever
extern double performance_log_sample_rate;  // share of the shorter refreshes that is logged
extern int prepared_stmt_cache_size;        // statements that a worker keeps prepared
extern bool protect;                        // refuse writes to TVIEWs by others than the applier
extern int queue_size;                      // kB; ring of one database
extern int read_consistency;                // a ReadConsistency
extern int refresh_memory;                  // kB; for the refresh of one TVIEW; 0: no limit
extern int refresh_timeout;                 // ms; of one TVIEW in a batch; 0: no limit
extern int read_timeout;        // ms; how long a statement waits for TVIEWs; 0: for ever
extern int stats_tviews;        // entries of the statistics table
extern char* table_prefix;      // how names of TVIEWs' tables begin; empty: as the entity does
extern int transaction_memory;  // kB; memory for a transaction's deltas

// Defines the settings and reserves the prefix. Called from _PG_init through Call.
void RegisterSettings();

}  // namespace tviews::pg::settings

#endif  // PG_TVIEWS_SHARED_PG_SERVER_SETTINGS_H_
