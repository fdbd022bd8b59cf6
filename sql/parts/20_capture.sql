
-- The trigger of source tables. EXECUTE stays with PUBLIC: it is checked when a trigger is created,
-- not when it fires, and whoever puts the trigger on a table of theirs captures nothing until a
-- TVIEW reads it. No SET search_path: the function looks no name up, and the setting would cost more
-- than the call.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_capture() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'tviews_capture';
COMMENT ON FUNCTION @extschema@.pg_tviews_capture() IS 'notes which rows of a source table a transaction changed';
