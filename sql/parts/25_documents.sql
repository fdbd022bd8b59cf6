-- What documents are built with when they are computed. Everybody's: they read nothing.

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_build_object(VARIADIC "any") RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'tviews_build_object';
COMMENT ON FUNCTION @extschema@.pg_tviews_build_object(VARIADIC "any") IS 'jsonb_build_object, for many rows of the same query';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_build_array_step(internal, jsonb) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'tviews_build_array_step';
COMMENT ON FUNCTION @extschema@.pg_tviews_build_array_step(internal, jsonb) IS 'part of the aggregate pg_tviews_build_array';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_build_array_end(internal) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'tviews_build_array_end';
COMMENT ON FUNCTION @extschema@.pg_tviews_build_array_end(internal) IS 'part of the aggregate pg_tviews_build_array';

CREATE OR REPLACE AGGREGATE @extschema@.pg_tviews_build_array(jsonb) (
    SFUNC = @extschema@.pg_tviews_build_array_step,
    STYPE = internal,
    FINALFUNC = @extschema@.pg_tviews_build_array_end,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.pg_tviews_build_array(jsonb) IS 'jsonb_agg of jsonb values';
