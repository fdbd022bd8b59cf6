"""Everything the extension consists of in a database, as text lines that two databases share or not.

Columns are listed in order, not by number: one that was dropped leaves a gap, which is no difference.
Nor is it one whether default privileges are written down.
"""
from tviews_server import run

# Each query gives (object, what about it, its value); `m` are the extension's members.
MEMBERS = """
WITH m AS (
    SELECT d.classid, d.objid, (pg_identify_object(d.classid, d.objid, 0)).*
    FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass
    WHERE d.deptype = 'e' AND e.extname = 'pg_tviews')
"""
QUERIES = [
    "SELECT m.type || ' ' || m.identity, 'is a member of the extension', '' FROM m",
    """SELECT m.type || ' ' || m.identity, 'comment', coalesce(obj_description(m.objid, m.classid::regclass::name), '(none)')
       FROM m""",
    """SELECT m.type || ' ' || m.identity, 'privileges at creation', (SELECT string_agg(item::text, ' ' ORDER BY item::text) FROM unnest(coalesce(i.initprivs, o.default_acl)) AS item)
       FROM m JOIN (SELECT 'pg_proc'::regclass AS classid, oid, acldefault('f', proowner) AS default_acl FROM pg_proc
                    UNION ALL
                    SELECT 'pg_class'::regclass, oid, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)
                    FROM pg_class) o ON o.classid = m.classid AND o.oid = m.objid
       LEFT JOIN pg_init_privs i ON i.objoid = m.objid AND i.classoid = m.classid AND i.objsubid = 0""",
    """SELECT 'function ' || m.identity, fact.name, fact.value
       FROM m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
       CROSS JOIN LATERAL (VALUES ('definition', pg_get_functiondef(p.oid)), ('library', coalesce(p.probin, '')),
           ('owner', p.proowner::regrole::text), ('privileges', (SELECT string_agg(item::text, ' ' ORDER BY item::text) FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) AS item)))
           AS fact (name, value)
       WHERE p.prokind IN ('f', 'p')""",
    """SELECT 'relation ' || m.identity, fact.name, fact.value
       FROM m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
       LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
       CROSS JOIN LATERAL (VALUES ('kind', c.relkind::text || c.relpersistence::text),
           ('owner', c.relowner::regrole::text), ('privileges', 
           (SELECT string_agg(item::text, ' ' ORDER BY item::text) FROM unnest(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) AS item)),
           ('options', coalesce(c.reloptions::text, '') || coalesce(t.reloptions::text, '')),
           ('replica identity', c.relreplident::text), ('row security', c.relrowsecurity::text || c.relforcerowsecurity::text),
           ('view', CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END)) AS fact (name, value)
       WHERE fact.value IS NOT NULL""",
    """SELECT 'relation ' || m.identity, 'column ' || row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
           concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                     'DEFAULT ' || pg_get_expr(f.adbin, f.adrelid), a.attidentity, a.attgenerated, a.attstorage,
                     a.attcompression, a.attcollation::regcollation, a.attacl::text,
                     col_description(a.attrelid, a.attnum))
       FROM m JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid
       LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
       WHERE a.attnum > 0 AND NOT a.attisdropped""",
    """SELECT 'relation ' || m.identity, 'constraint ' || c.conname, pg_get_constraintdef(c.oid)
       FROM m JOIN pg_constraint c ON m.classid = 'pg_class'::regclass AND c.conrelid = m.objid
       WHERE c.contype <> 'n'""",  # from 18 on NOT NULL is a constraint with a name of its own; columns have it above
    """SELECT 'relation ' || m.identity, 'index', pg_get_indexdef(i.indexrelid) || coalesce(c.reloptions::text, '')
       FROM m JOIN pg_index i ON m.classid = 'pg_class'::regclass AND i.indrelid = m.objid
       JOIN pg_class c ON c.oid = i.indexrelid""",
    """SELECT 'relation ' || m.identity, 'trigger ' || t.tgname, pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
       FROM m JOIN pg_trigger t ON m.classid = 'pg_class'::regclass AND t.tgrelid = m.objid WHERE NOT t.tgisinternal""",
    """SELECT 'relation ' || m.identity, 'policy ' || p.polname,
           concat_ws(' ', p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
       FROM m JOIN pg_policy p ON m.classid = 'pg_class'::regclass AND p.polrelid = m.objid""",
    """SELECT 'relation ' || m.identity, 'sequence', concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement,
           s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
       FROM m JOIN pg_sequence s ON m.classid = 'pg_class'::regclass AND s.seqrelid = m.objid""",
    """SELECT 'schema ' || m.identity, fact.name, fact.value
       FROM m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
       CROSS JOIN LATERAL (VALUES ('owner', n.nspowner::regrole::text), ('privileges',
           (SELECT string_agg(item::text, ' ' ORDER BY item::text) FROM unnest(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS item)))
           AS fact (name, value)""",
    """SELECT 'extension', fact.name, fact.value
       FROM pg_extension e CROSS JOIN LATERAL (
           VALUES ('version', e.extversion), ('relocatable', e.extrelocatable::text),
                  ('comment', obj_description(e.oid, 'pg_extension'))
           UNION ALL
           SELECT 'content is dumped: ' || c.config::regclass, c.condition
           FROM unnest(e.extconfig, e.extcondition) AS c (config, condition)) AS fact (name, value)
       WHERE e.extname = 'pg_tviews'""",
]


def describe(connection):
    """The set of facts about the extension."""
    facts = set()
    for query in QUERIES:
        facts.update(f"{name} | {what} | {value}" for name, what, value in run(connection, MEMBERS + query))
    assert len(facts) > 100, f"only {len(facts)} facts: the extension is not installed"
    return facts


def compare(found, wanted, script):
    """Raises with the differences, if any."""
    if found == wanted:
        return
    lines = [f"  in a fresh installation only: {fact}" for fact in sorted(wanted - found)]
    lines += [f"  after the script only:        {fact}" for fact in sorted(found - wanted)]
    raise AssertionError(
        f"sql/upgrade/{script} does not lead to what a fresh installation has. If you changed a table in sql/parts, "
        f"add your change to that script, and its reverse to the script the other way (sql/README.md); new columns come last.\n" + "\n".join(lines))
