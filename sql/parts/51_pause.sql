
-- Stopping the applier of this database for a while. VOLATILE: they change shared memory.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_pause() RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_pause';
COMMENT ON FUNCTION @extschema@.pg_tviews_pause() IS 'returns when no batch runs and keeps new ones from beginning; false if it was so already';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_resume() RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_resume';
COMMENT ON FUNCTION @extschema@.pg_tviews_resume() IS 'lets the applier go on after pg_tviews_pause(); false if it was not paused';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_pause(lane text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_pause';
COMMENT ON FUNCTION @extschema@.pg_tviews_pause(text) IS 'the same for one lane; the others go on';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_resume(lane text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_resume';
COMMENT ON FUNCTION @extschema@.pg_tviews_resume(text) IS 'lets one lane go on after pg_tviews_pause(lane); false if it was not paused';
