-- pg_tviews 0.1.0 to 0.2.0. What is new here is, word for word, in sql/parts; a test compares.
\echo Use "ALTER EXTENSION pg_tviews UPDATE TO '0.2.0'" to load this file. \quit

-- The library changes under a database: what it answers is no constant.
ALTER FUNCTION @extschema@.pg_tviews_version() STABLE;
