-- Time from commit to visible: single-row updates one after the other with a pause between them, so
-- that every worker sleeps when a change arrives.
CREATE PROCEDURE measure_latency(turns int, OUT p50 numeric, OUT p95 numeric, OUT worst numeric)
LANGUAGE plpgsql AS $$
DECLARE
  committed timestamptz;
  times float8[] := '{}';
BEGIN
  FOR turn IN 1 .. turns LOOP
    PERFORM pg_sleep(0.01);
    UPDATE tb_item SET amount = amount + 1 WHERE pk_item = turn * 100;
    COMMIT;
    committed := clock_timestamp();
    PERFORM pg_tviews_wait();
    times := times || extract(epoch FROM clock_timestamp() - committed)::float8 * 1000;
    COMMIT;
  END LOOP;
  SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY t)::numeric, 2),
         round(percentile_cont(0.95) WITHIN GROUP (ORDER BY t)::numeric, 2), round(max(t)::numeric, 2)
  INTO p50, p95, worst FROM unnest(times) t;
END $$;
