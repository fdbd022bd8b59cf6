
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_settings(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'settings', finding.severity, finding.message
    FROM @extschema@.pg_tviews_server_state() AS server
    CROSS JOIN LATERAL (
        SELECT sum(slot.outbox_scans) AS scans, sum(slot.batches) AS batches FROM @extschema@.pg_tviews_slots() AS slot
    ) AS work
    CROSS JOIN LATERAL (VALUES
        (current_setting('pg_tviews.enabled') = 'off', 'error',
         'pg_tviews.enabled is off: changes wait in the outbox. ALTER SYSTEM RESET pg_tviews.enabled, then SELECT pg_reload_conf().'),
        (current_setting('max_worker_processes')::int < current_setting('pg_tviews.max_workers')::int + 1, 'warning',
         format('max_worker_processes (%s) has no room for the launcher and pg_tviews.max_workers (%s). ALTER SYSTEM SET max_worker_processes = %s, then restart.',
                current_setting('max_worker_processes'), current_setting('pg_tviews.max_workers'), current_setting('pg_tviews.max_workers')::int + 9)),
        (server.launches_failed > 0, 'warning',
         format('%s no background worker was free for an applier since the server started. Raise max_worker_processes (%s), then restart.',
                CASE server.launches_failed WHEN 1 THEN 'Once' ELSE server.launches_failed || ' times' END, current_setting('max_worker_processes'))),
        (coalesce(server.last_turned_away > now() - interval '1 hour', false), 'warning',
         format('Databases, or lanes, took turns within the last hour: %s of %s queues and at most %s workers were in use. Raise pg_tviews.max_workers, and pg_tviews.max_databases if more than %s databases are written to, then restart.',
                server.slots_used, server.slots, current_setting('pg_tviews.max_workers'), server.slots)),
        (work.batches > 100 AND work.scans > work.batches / 10, 'warning',
         format('%s of %s batches had to read the outbox. Raise pg_tviews.queue_size (%s), then restart.',
                work.scans, work.batches, current_setting('pg_tviews.queue_size'))),
        (EXISTS (SELECT FROM pg_settings WHERE pg_settings.name = 'pg_tviews.protect' AND pg_settings.reset_val = 'off'), 'warning',
         'pg_tviews.protect is off for everybody: anybody with privileges can spoil TVIEWs. Reset it, then SELECT pg_reload_conf().'),
        (EXISTS (SELECT FROM pg_settings WHERE pg_settings.name = 'pg_tviews.pause_at' AND pg_settings.reset_val <> ''), 'warning',
         'pg_tviews.pause_at is set: processes may stop for tests. Reset it, then SELECT pg_reload_conf().'),
        (server.stats_evicted > 0, 'warning',
         format('%s a TVIEW lost its statistics to another one. Raise pg_tviews.stats_tviews (%s), then restart.',
                CASE server.stats_evicted WHEN 1 THEN 'Once' ELSE server.stats_evicted || ' times' END, current_setting('pg_tviews.stats_tviews'))),
        (server.quiet_failures > 0, 'warning',
         format('%s a process was out of memory while it committed, aborted or heard of DDL, since the server started. Give it memory, restart, then SELECT * FROM pg_tviews_verify(entity) of each TVIEW.',
                CASE server.quiet_failures WHEN 1 THEN 'Once' ELSE server.quiet_failures || ' times' END))
    ) AS finding (is_found, severity, message)
    WHERE finding.is_found;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_settings() IS 'part of the health check: settings that do not fit the server or each other';

-- Who holds what a batch needs, or is in the way of it.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_workers(patience interval, OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH slot AS (
        SELECT * FROM @extschema@.pg_tviews_slots() AS slots
        WHERE slots.database_oid = (SELECT pg_database.oid FROM pg_database WHERE pg_database.datname = current_database())
    ), waiting AS (
        SELECT min(queue.last_enqueued) AS since FROM @extschema@.pg_tviews_queue_realtime AS queue
        WHERE queue.database = current_database() AND queue.state IN ('waiting', 'applying', 'spilled')
    ), lane AS (
        SELECT lanes.pid, lanes.age FROM @extschema@.pg_tviews_lanes AS lanes WHERE lanes.lane <> 'main'
    ), needed AS (
        SELECT pg_tview_meta.tview::oid AS relation,
               ARRAY['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'] AS conflicts
        FROM @extschema@.pg_tview_meta
        UNION
        SELECT pg_tview_lineage.source::oid, ARRAY['AccessExclusiveLock'] FROM @extschema@.pg_tview_lineage
        UNION
        SELECT pg_tview_meta.backing_view::oid, ARRAY['AccessExclusiveLock'] FROM @extschema@.pg_tview_meta
    ), blocker AS (
        SELECT pg_locks.pid, string_agg(DISTINCT pg_locks.relation::regclass::text, ', ') AS relations
        FROM pg_locks JOIN needed ON needed.relation = pg_locks.relation
        WHERE pg_locks.granted AND pg_locks.mode = ANY (needed.conflicts)
          AND pg_locks.database = (SELECT pg_database.oid FROM pg_database WHERE pg_database.datname = current_database())
        GROUP BY pg_locks.pid
        UNION
        SELECT blocking.pid, NULL FROM slot
        CROSS JOIN LATERAL unnest(pg_blocking_pids(slot.pid)) AS blocking (pid) WHERE slot.pid IS NOT NULL
        UNION
        SELECT blocking.pid, NULL FROM lane
        CROSS JOIN LATERAL unnest(pg_blocking_pids(lane.pid)) AS blocking (pid) WHERE lane.pid IS NOT NULL
    )
    SELECT 'workers', 'error',
           'The launcher does not run. It is started again after 5 seconds: see the server log for why it ends, and whether max_worker_processes has room.'
    FROM @extschema@.pg_tviews_server_state() AS server WHERE server.launcher_pid IS NULL
    UNION ALL
    SELECT 'workers', 'error',
           format('No applier runs here and records wait since %s. See the server log; check pg_tviews.enabled, max_worker_processes, pg_tviews.max_workers.', waiting.since::timestamptz(0))
    FROM waiting WHERE waiting.since < now() - coalesce(patience, '0') AND NOT EXISTS (SELECT FROM slot WHERE slot.pid IS NOT NULL)
    UNION ALL
    SELECT 'workers', 'warning', 'The applier of this database is paused. SELECT pg_tviews_resume().'
    FROM slot WHERE slot.state = 'paused'
    UNION ALL
    SELECT 'blocked applier', 'warning',
           format('Process %s (%s, %s, in its transaction since %s) holds %s, which the applier needs. End the transaction, or SELECT pg_terminate_backend(%s).',
                  blocker.pid, coalesce(nullif(activity.application_name, ''), activity.backend_type, 'a prepared transaction'),
                  coalesce(activity.state, 'prepared'), coalesce(activity.xact_start::timestamptz(0)::text, 'an unknown time'),
                  coalesce(string_agg(DISTINCT blocker.relations, ', '), 'a lock'), blocker.pid)
    FROM blocker
    CROSS JOIN waiting
    LEFT JOIN pg_stat_activity AS activity ON activity.pid = blocker.pid
    WHERE (waiting.since < now() - coalesce(patience, '0')
           OR EXISTS (SELECT FROM @extschema@.pg_tview_behind AS behind WHERE behind.since < now() - coalesce(patience, '0'))
           OR EXISTS (SELECT FROM lane WHERE lane.age > coalesce(patience, '0')))
      AND blocker.pid NOT IN (SELECT slot.pid FROM slot WHERE slot.pid IS NOT NULL UNION ALL SELECT lane.pid FROM lane WHERE lane.pid IS NOT NULL)
    GROUP BY blocker.pid, activity.application_name, activity.backend_type, activity.state, activity.xact_start
    UNION ALL
    SELECT 'workers', 'warning',
           format('Batches fail and are repeated (repetitions since the queue exists: %s). See the server log, and below for who blocks.', slot.retries)
    FROM slot CROSS JOIN waiting WHERE slot.state = 'backing off' AND waiting.since < now() - coalesce(patience, '0');
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_workers(interval) IS 'part of the health check: workers that are missing, and who is in their way';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_queue(patience interval, OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH queue AS (
        SELECT count(*) FILTER (WHERE entry.state <> 'spilled') AS waiting, min(entry.last_enqueued) AS since,
               coalesce(sum(CASE WHEN entry.state <> 'spilled' THEN 0
                                 WHEN entry.transaction_id IS NULL THEN entry.queue_size ELSE 1 END), 0) AS spilled
        FROM @extschema@.pg_tviews_queue_realtime AS entry
        WHERE entry.database = current_database() AND entry.state IN ('waiting', 'applying', 'spilled')
    ), allowed AS (
        -- Where the main lane may wait for more, that is no finding.
        SELECT greatest(coalesce(patience, '0'), (SELECT target.lag_target * 2 FROM @extschema@.pg_tviews_lane_targets AS target WHERE target.lane = 'main')) AS time
    )
    SELECT 'queue and lag',
           CASE WHEN queue.since < now() - 10 * allowed.time THEN 'error' WHEN queue.since < now() - allowed.time THEN 'warning' ELSE 'info' END,
           CASE WHEN queue.since < now() - allowed.time
                THEN format('TVIEWs are behind since %s: %s in the queue, %s in the outbox only. See pg_tviews_workers and pg_tviews_progress for what the applier does; pg_tview_performance_log for what is slow.',
                            queue.since::timestamptz(0), CASE queue.waiting WHEN 1 THEN '1 record waits' ELSE queue.waiting || ' records wait' END, queue.spilled)
                ELSE format('%s wait%s, the oldest for %s ms.',
                            CASE queue.waiting + queue.spilled WHEN 1 THEN '1 record' ELSE queue.waiting + queue.spilled || ' records' END,
                            CASE queue.waiting + queue.spilled WHEN 1 THEN 's' ELSE '' END,
                            coalesce(round(extract(epoch FROM clock_timestamp() - queue.since) * 1000), 0)) END
    FROM queue CROSS JOIN allowed
    UNION ALL
    SELECT 'queue and lag', 'warning',
           format(CASE WHEN behind.retry_at IS NULL
                       THEN 'TVIEW %s is behind the others since %s: %s. It catches up when the cause is gone; where it is a lock, see who blocks.'
                       ELSE 'TVIEW %s is left behind since %s: %s. It is tried again at %s. Correct what it calls, or see "A TVIEW that stalls" in the runbooks; then SELECT pg_tviews_retry(...).'
                       END, behind.tview, behind.since::timestamptz(0), behind.reason, behind.retry_at::timestamptz(0))
    FROM @extschema@.pg_tview_behind AS behind WHERE behind.since < now() - coalesce(patience, '0') OR behind.retry_at IS NOT NULL
    UNION ALL
    SELECT 'spill', CASE WHEN queue.spilled > 0 THEN 'warning' ELSE 'info' END,
           CASE WHEN queue.spilled > 0
                THEN format('%s no room in the queue and will be read from the outbox. Nothing is lost; if it happens often, raise pg_tviews.queue_size (%s) and restart.',
                            CASE queue.spilled WHEN 1 THEN '1 record found' ELSE queue.spilled || ' records found' END, current_setting('pg_tviews.queue_size'))
                ELSE 'Nothing is in the outbox only.' END
    FROM queue;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_queue(interval) IS 'part of the health check: changes that wait, and TVIEWs that are behind';
