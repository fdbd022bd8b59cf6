-- What holds values of users' rows, and so is nobody's to read. In a schema of its own, because
-- GRANT SELECT ON ALL TABLES IN SCHEMA is often said of the schema that the extension is in.
CREATE SCHEMA tviews_internal;
COMMENT ON SCHEMA tviews_internal IS 'tables of pg_tviews that hold values of users'' rows; nobody else may use it';
