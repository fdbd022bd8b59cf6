-- TVIEWs that came with a dump or in a copy of a database. The applier calls it by itself. VOLATILE:
-- it writes metadata. The short lock_timeout lets a restore that meets it go first.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_adopt(OUT adopted integer, OUT pending integer, OUT reasons text[])
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms'
AS 'MODULE_PATHNAME', 'tviews_adopt';
COMMENT ON FUNCTION @extschema@.pg_tviews_adopt() IS 'makes TVIEWs of restored tables and of those of a copied database; done by the applier too';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_adopt() FROM PUBLIC;
