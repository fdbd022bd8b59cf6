-- What the auditor has done (pg_tviews.audit_rate).
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_audit_counters(
    OUT tview oid, OUT keys_checked bigint, OUT differences bigint, OUT rounds bigint,
    OUT given_up bigint, OUT last_difference timestamptz, OUT repeated bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_audit_counters';
COMMENT ON FUNCTION @extschema@.pg_tviews_audit_counters() IS 'what shared memory counts of the audit of each TVIEW of this database';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_audit_status AS
SELECT pg_tview_meta.entity,
       pg_tview_meta.tview,
       NOT pg_tview_meta.options ? 'undetermined' AND pg_tview_meta.state <> 'quarantined'
           AND coalesce(counters.repeated, 0) = 0 AS is_audited,
       coalesce(counters.keys_checked, 0) AS keys_checked,
       coalesce(counters.differences, 0) AS differences,
       counters.last_difference,
       coalesce(counters.rounds, 0) AS rounds,
       coalesce(counters.given_up, 0) AS given_up,
       coalesce(counters.repeated, 0) > 0 AS differs_again
FROM @extschema@.pg_tview_meta
LEFT JOIN @extschema@.pg_tviews_audit_counters() AS counters ON counters.tview = pg_tview_meta.tview;
COMMENT ON VIEW @extschema@.pg_tviews_audit_status IS 'how much of each TVIEW the auditor has compared with its query, and rows and groups of its states that it repaired';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_audit(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'audit', 'warning',
           format('The auditor repaired %s of TVIEW %s that differed from its query, or groups of its group states, the last at %s. Find who wrote them with pg_tviews.protect off, or what capture missed; SELECT * FROM pg_tviews_refresh(%L), then SELECT pg_tviews_stats_reset(%L).',
                  CASE status.differences WHEN 1 THEN '1 row' ELSE status.differences || ' rows' END, status.entity, status.last_difference::timestamptz(0), quote_ident(status.entity), quote_ident(status.entity))
    FROM @extschema@.pg_tviews_audit_status AS status
    WHERE status.differences > 0 AND NOT status.differs_again
    UNION ALL
    SELECT 'audit', 'warning',
           format('Rows of TVIEW %s differ from its query again after the auditor has repaired them: its definition gives the same rows different results, so it is no longer audited. Order what it aggregates, cuts or numbers by a unique key, and look at the functions that it calls; then SELECT pg_tviews_stats_reset(%L).',
                  status.entity, quote_ident(status.entity))
    FROM @extschema@.pg_tviews_audit_status AS status
    WHERE status.differs_again
    UNION ALL
    SELECT 'audit', 'info',
           format('TVIEW %s is not audited in fact: %s steps were given up, mostly because its query takes more than 250 ms for 100 keys. SELECT * FROM pg_tviews_verify(%L) now and then.',
                  status.entity, status.given_up, quote_ident(status.entity))
    FROM @extschema@.pg_tviews_audit_status AS status
    WHERE status.is_audited AND status.given_up >= 3 AND status.given_up > status.keys_checked
    ORDER BY 3;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_audit() IS 'part of the health check: differences that the auditor has found';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_check_audit() FROM PUBLIC;
