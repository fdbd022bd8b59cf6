-- Consumers of the durable change feed. The functions write a private table for whoever is the consumer's owner, or
-- has the owner's privileges.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_feed_register(consumer text, after bigint DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_feed_register';
COMMENT ON FUNCTION @extschema@.pg_tviews_feed_register(text, bigint) IS 'makes a consumer of the change feed, whose owner is the current role; returns the position after which it begins';
-- Rows stay for it: not for everybody.
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_feed_register(text, bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_feed_drop(consumer text) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_feed_drop';
COMMENT ON FUNCTION @extschema@.pg_tviews_feed_drop(text) IS 'forgets a consumer of the change feed; returns the position that it had';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_feed_ack(consumer text, through bigint) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_feed_ack';
COMMENT ON FUNCTION @extschema@.pg_tviews_feed_ack(text, bigint) IS 'a consumer is done with the change feed through a position; returns the position that it has now';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_feed_claim(consumer text) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_feed_claim';
COMMENT ON FUNCTION @extschema@.pg_tviews_feed_claim(text) IS 'the position of a consumer, which is nobody else''s until the transaction ends';

-- Everybody may know it, as pg_tview_feed_horizon: it tells that something changes, not what.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_feed_end() RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT greatest((SELECT max(feed.position) FROM tviews_internal.pg_tview_feed AS feed), horizon.removed_through)
    FROM @extschema@.pg_tview_feed_horizon AS horizon;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_feed_end() IS 'the last position of the change feed in the snapshot of the statement';

-- The rows first, then the horizon: what retention removed before the rows were read is noticed.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_feed_read(consumer text, max_rows integer DEFAULT 1000, after bigint DEFAULT NULL)
RETURNS SETOF @extschema@.pg_tviews_feed
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    begins bigint;
    removed bigint;
BEGIN
    IF max_rows IS NULL OR max_rows < 1 THEN
        RAISE 'argument max_rows of pg_tviews_feed_read must be at least 1' USING ERRCODE = '22023';
    END IF;
    begins := @extschema@.pg_tviews_feed_claim(consumer);
    begins := coalesce(after, begins);
    RETURN QUERY SELECT * FROM @extschema@.pg_tviews_feed AS feed WHERE feed.position > begins ORDER BY feed.position LIMIT max_rows;
    SELECT horizon.removed_through INTO removed FROM @extschema@.pg_tview_feed_horizon AS horizon;
    IF begins < removed THEN
        RAISE 'consumer "%" has missed changes', consumer
            USING ERRCODE = '55000',
                  DETAIL = format('It stands at position %s, and rows through %s have been removed.', begins, removed),
                  HINT = 'Read the TVIEWs anew: pg_tviews_feed_drop() and pg_tviews_feed_register() it in the transaction that reads them.';
    END IF;
END $$;
COMMENT ON FUNCTION @extschema@.pg_tviews_feed_read(text, integer, bigint) IS 'what follows a consumer''s position in the change feed, of the TVIEWs that the caller may read';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_feed_consumers WITH (security_barrier) AS
SELECT consumer.consumer,
       consumer.owner,
       consumer.position,
       consumer.registered_at,
       consumer.acknowledged_at,
       greatest(feed_end.position - consumer.position, 0) AS changes_behind,
       coalesce(clock_timestamp() - next.changed_at, interval '0') AS lag,
       consumer.position < horizon.removed_through AS has_missed
FROM tviews_internal.pg_tview_feed_consumer AS consumer
CROSS JOIN @extschema@.pg_tview_feed_horizon AS horizon
CROSS JOIN LATERAL (SELECT greatest((SELECT max(feed.position) FROM tviews_internal.pg_tview_feed AS feed), horizon.removed_through)) AS feed_end (position)
LEFT JOIN LATERAL (
    SELECT feed.changed_at FROM tviews_internal.pg_tview_feed AS feed
    WHERE feed.position > consumer.position ORDER BY feed.position LIMIT 1
) AS next ON true
WHERE pg_catalog.pg_has_role(consumer.owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW @extschema@.pg_tviews_feed_consumers IS 'consumers of the change feed: position and lag of those whose owner the reader is; of all for pg_monitor';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_feed(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'feed', 'warning',
           CASE WHEN consumer.has_missed
                THEN format('Consumer %s of the change feed has missed changes: it stands at position %s, and rows after that were removed. It begins anew, or SELECT pg_tviews_feed_drop(%L).',
                            consumer.consumer, consumer.position, consumer.consumer)
                ELSE format('Consumer %s of the change feed keeps rows that pg_tviews.feed_retention would remove: it is %s changes behind, and has acknowledged %s. See that it runs, or SELECT pg_tviews_feed_drop(%L).',
                            consumer.consumer, consumer.changes_behind,
                            coalesce('nothing since ' || consumer.acknowledged_at::timestamptz(0), 'nothing yet'), consumer.consumer) END
    FROM @extschema@.pg_tviews_feed_consumers AS consumer
    WHERE consumer.has_missed
       OR current_setting('pg_tviews.feed_retention') <> '0'
          AND consumer.lag > current_setting('pg_tviews.feed_retention')::interval
    ORDER BY 3;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_feed() IS 'part of the health check: consumers of the change feed that do not follow';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_check_feed() FROM PUBLIC;
