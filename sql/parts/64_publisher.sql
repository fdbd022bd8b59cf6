-- Reading what one has written elsewhere: on a subscriber whose sources come from a publisher. The position that the
-- publisher has told the apply worker last is behind what that worker has applied, because it takes messages in their order.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_wait_for_publisher(subscription name, lsn pg_lsn, timeout interval DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    patience CONSTANT interval := coalesce(timeout, current_setting('pg_tviews.read_timeout')::interval);
    began CONSTANT timestamptz := clock_timestamp();
    subscription_oid oid;
    reached pg_lsn;
BEGIN
    IF lsn IS NULL THEN
        RAISE 'argument lsn of pg_tviews_wait_for_publisher must not be null' USING ERRCODE = '22004';
    END IF;
    SELECT pg_subscription.oid INTO subscription_oid FROM pg_subscription
    WHERE pg_subscription.subname = subscription
      AND pg_subscription.subdbid = (SELECT pg_database.oid FROM pg_database WHERE pg_database.datname = current_database());
    IF subscription_oid IS NULL THEN
        RAISE 'subscription "%" does not exist', subscription USING ERRCODE = '42704';
    END IF;
    LOOP
        -- One table that is still copied may lack what the worker has gone past.
        SELECT worker.latest_end_lsn INTO reached FROM pg_stat_get_subscription(subscription_oid) AS worker
        WHERE worker.relid IS NULL
          AND NOT EXISTS (SELECT FROM pg_subscription_rel WHERE pg_subscription_rel.srsubid = subscription_oid AND pg_subscription_rel.srsubstate <> 'r');
        EXIT WHEN reached >= lsn;
        IF patience > interval '0' AND clock_timestamp() - began > patience THEN
            RAISE 'timed out while waiting for subscription "%"', subscription
                USING ERRCODE = '57014', DETAIL = format('It is at %s and should be at %s.', coalesce(reached::text, 'no known position'), lsn),
                      HINT = 'See pg_stat_subscription, the server log, and the slot on the publisher.';
        END IF;
        PERFORM pg_sleep(0.005);
    END LOOP;
    IF patience > interval '0' THEN
        PERFORM @extschema@.pg_tviews_wait(greatest(patience - (clock_timestamp() - began), interval '1 ms'));
    ELSE
        PERFORM @extschema@.pg_tviews_wait();
    END IF;
END $$;
COMMENT ON FUNCTION @extschema@.pg_tviews_wait_for_publisher(name, pg_lsn, interval) IS 'returns when the TVIEWs of a subscriber contain what its publisher had committed at a position';
