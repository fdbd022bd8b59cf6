-- pg_tviews 0.2.0 back to 0.1.0: what 0.1.0--0.2.0 did, undone in the opposite order.
\echo Use "ALTER EXTENSION pg_tviews UPDATE TO '0.1.0'" to load this file. \quit

DROP FUNCTION @extschema@.pg_tviews_adopt();

ALTER FUNCTION @extschema@.pg_tviews_version() IMMUTABLE;
