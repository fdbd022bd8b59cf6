-- Privileges on what the extension keeps to itself: GRANT ... ON ALL TABLES gives more than was meant.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_privileges(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH object (name, kind, is_private, owner, acl) AS (
        SELECT format('%I.%I', pg_namespace.nspname, pg_class.relname), CASE pg_class.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
               pg_namespace.nspname = 'tviews_internal', pg_class.relowner, granted.acl
        FROM pg_class
        JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
        JOIN pg_depend ON pg_depend.classid = 'pg_class'::regclass AND pg_depend.objid = pg_class.oid AND pg_depend.deptype = 'e'
        JOIN pg_extension ON pg_depend.refclassid = 'pg_extension'::regclass AND pg_extension.oid = pg_depend.refobjid
        CROSS JOIN LATERAL (SELECT pg_class.relacl UNION ALL SELECT pg_attribute.attacl FROM pg_attribute
                            WHERE pg_attribute.attrelid = pg_class.oid) AS granted (acl)
        WHERE pg_extension.extname = 'pg_tviews'
        UNION ALL
        SELECT pg_namespace.nspname, 'SCHEMA', true, pg_namespace.nspowner, pg_namespace.nspacl
        FROM pg_namespace WHERE pg_namespace.nspname = 'tviews_internal'
    ), grants AS (
        SELECT object.name, object.kind, object.is_private, given.privilege_type,
               CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(given.grantee)) END AS role
        FROM object CROSS JOIN LATERAL aclexplode(object.acl) AS given
        WHERE given.grantee <> object.owner AND (object.is_private OR given.privilege_type <> 'SELECT')
    )
    SELECT 'privileges', CASE WHEN grants.is_private THEN 'error' ELSE 'warning' END,
           format(CASE WHEN grants.is_private THEN '%s has %s on %s, where values of users'' rows are. REVOKE ALL ON %s %s FROM %s.'
                       ELSE '%s has %s on %s, which only the extension writes. REVOKE %2$s ON %4$s %3$s FROM %1$s.' END,
                  grants.role, string_agg(DISTINCT grants.privilege_type, ', '), grants.name, grants.kind, grants.name, grants.role)
    FROM grants
    GROUP BY grants.is_private, grants.role, grants.kind, grants.name
    ORDER BY 3;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_privileges() IS 'part of the health check: what is private and others may read';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_check_privileges() FROM PUBLIC;
