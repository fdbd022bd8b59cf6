-- Runs one statement in a transaction of its own, then waits until every TVIEW shows it.
-- `documents` is the number of documents that the appliers wrote for it.
CREATE PROCEDURE run_change(statement text, OUT changed bigint, OUT documents bigint,
                            OUT statement_ms numeric, OUT visible_ms numeric)
LANGUAGE plpgsql AS $$
DECLARE
  before bigint;
  started timestamptz;
  committed timestamptz;
BEGIN
  SELECT sum(pg_tview_frontier.rows_inserted + pg_tview_frontier.rows_updated + pg_tview_frontier.rows_deleted) INTO before
  FROM pg_tview_frontier;
  started := clock_timestamp();
  EXECUTE statement;
  GET DIAGNOSTICS changed = ROW_COUNT;
  COMMIT;
  committed := clock_timestamp();
  PERFORM pg_tviews_wait();
  visible_ms := round(extract(epoch FROM clock_timestamp() - committed) * 1000, 1);
  statement_ms := round(extract(epoch FROM committed - started) * 1000, 1);
  SELECT sum(pg_tview_frontier.rows_inserted + pg_tview_frontier.rows_updated + pg_tview_frontier.rows_deleted) - before INTO documents
  FROM pg_tview_frontier;
END $$;
