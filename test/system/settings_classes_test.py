"""Every setting of the server that a database, a role or a session can change is in a class here: kept by
definitions, pinned in workers, or of no effect on what a batch computes and whether it ends. A setting of another
version that is in none fails the test: think about it, then put it into its class."""
import re

from tviews_server import ROOT, Server, run

# No effect on results or on whether a batch ends: costs, memory and the plan, what is logged and counted, how writes
# reach the disk, what only new objects or client connections use.
HARMLESS = """
allow_in_place_tablespaces application_name backend_flush_after client_connection_check_interval commit_delay
commit_siblings compute_query_id constraint_exclusion createrole_self_grant cursor_tuple_fraction deadlock_timeout
default_statistics_target default_table_access_method default_tablespace default_toast_compression
default_with_oids effective_cache_size effective_io_concurrency escape_string_warning event_source
extension_control_path extension_destdir file_copy_method file_extend_method from_collapse_limit
gin_pending_list_limit hash_mem_multiplier icu_validation_level in_hot_standby io_combine_limit
join_collapse_limit local_preload_libraries logical_decoding_work_mem maintenance_io_concurrency
maintenance_work_mem md5_password_warnings min_parallel_index_scan_size min_parallel_table_scan_size
operator_precedence_warning output_plugin_libraries parallel_leader_participation password_encryption
plan_cache_mode random_page_cost recursive_worktable_factor reserved_connections scram_iterations seq_page_cost
session_preload_libraries stats_fetch_consistency temp_buffers temp_tablespaces trace_connection_negotiation
trace_notify trace_sort update_process_title wal_compression wal_consistency_checking wal_init_zero wal_recycle
wal_sender_timeout wal_skip_threshold work_mem""".split()
HARMLESS_KINDS = ["enable_", "cpu_", "geqo", "jit_", "log_", "max_parallel_", "parallel_", "tcp_", "track_", "vacuum_",
                  "autovacuum_", "debug_pretty_print", "debug_print_", "backtrace_functions", "trace_locks",
                  "trace_lwlocks", "trace_userlocks", "trace_syncscan", "optimize_bounded_sort", "log"]
# Set by superusers only, and theirs to keep: limits of the machine, how the server treats damage, where libraries are.
# Beyond a limit a refresh fails with the server's error like any statement.
ADMINISTRATORS = """
allow_alter_system allow_system_table_mods allow_extension_destdir composite_type_mismatch debug_discard_caches
debug_logical_replication_streaming debug_parallel_query_workers debug_deadlocks dynamic_library_path
ignore_checksum_failure lc_messages max_stack_depth stats_temp_directory temp_file_limit zero_damaged_pages""".split()
# Of one transaction: a batch says itself what it needs.
TRANSACTIONS = ["transaction_isolation", "transaction_read_only", "transaction_deferrable", "event_triggers"]


def is_harmless(name):
    return name in HARMLESS or any(name.startswith(kind) for kind in HARMLESS_KINDS)


source = open(f"{ROOT}/src/worker/batch/pinned_settings.cc").read()
pinned = set(re.findall(r'\{"([a-z_]+)", ', source)) | set(re.findall(r'SetConfigOption\("([a-z_]+)"', source))
assert "transaction_timeout" in pinned and "lock_timeout" in pinned, pinned

with Server("settings_classes") as server:
    connection = server.prepare("classes", """
        CREATE TABLE tb_a (pk_a int PRIMARY KEY);
        CREATE TABLE tv_a AS SELECT pk_a FROM tb_a;""")
    kept = {row[0] for row in run(connection, """
        SELECT jsonb_object_keys(options -> 'settings') FROM pg_tview_meta""")}
    assert "TimeZone" in kept, kept
    names = [row[0] for row in run(connection, """
        SELECT name FROM pg_settings WHERE context IN ('user', 'superuser') AND name NOT LIKE '%.%' ORDER BY name""")]
    assert len(names) > 150, names
    classes = {name: [what for what, is_in in (
        ("kept", name in kept), ("pinned", name in pinned), ("harmless", is_harmless(name)),
        ("administrators", name in ADMINISTRATORS), ("transactions", name in TRANSACTIONS)) if is_in]
        for name in names}
    unclassified = [name for name, found in classes.items() if not found]
    assert not unclassified, f"settings in no class: {unclassified}"
    twice = {name: found for name, found in classes.items() if len(found) > 1}
    assert not twice, f"settings in two classes: {twice}"
    # What is pinned is in force in an applier whatever the database says: hostile_settings_test.
    missing = kept - set(names)
    assert not missing, f"kept, but not settings of this server: {missing}"
