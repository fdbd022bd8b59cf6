"""The values of the axes of `features.py`, each with its text.

In the texts x is the side of the join that has the key, y the other, q a table of a subquery, and {one}, {two}, {three} are
numbers in the type of the columns.
"""
# Columns of every table beyond those of the type at hand, and what they hold in row i.
MORE_COLUMNS = {
    "at": ("timestamptz NOT NULL", "timestamptz '2024-03-30 23:30+00' + {i} * interval '7 hours 11 minutes'"),
    "day": ("date", "date '2024-02-27' + {i}"),
    "gap": ("interval", "interval '1 day 2 hours' * ({i} - 2)"),
    "raw": ("bytea", "decode(lpad(to_hex({i} * 37), 4, '0'), 'hex')"),
    "ratio": ("float8", "1.0 / ({i} + 3)"),
    "note": ("text", "(ARRAY['running 1', 'Ran''s', 'runs \\ 2', '', NULL])[1 + {i} % 5]"),
}
COLUMNS = ["pk", "f1", "f2", "f3", "m"] + list(MORE_COLUMNS)

JOINS = ["none", "inner", "left", "right", "full", "cross", "comma", "using", "full using", "natural", "self", "anti", "in brackets",
         "left, left", "left, inner", "left, by a default", "cross, left"]
# What follows a LEFT JOIN of x and y, or a CROSS JOIN: a third relation, and whether it makes one row several.
THIRD = {
    "left, left": ("LEFT JOIN {b} b ON b.pk = {y}.f2", False),
    "left, inner": ("JOIN {b} b ON b.pk = {y}.f1", False),
    "left, by a default": ("JOIN {b} b ON b.pk = coalesce({y}.f2, {one})", False),
    "cross, left": ("LEFT JOIN {b} b ON b.f1 = {x}.pk AND b.f2 = {y}.pk", True),
}

# Name: (condition, whether one row of r can meet several of s).
LINKS = {
    "foreign key": ("r.f1 = s.pk", False),
    "not null": ("r.m = s.pk", False),
    "two columns": ("r.f1 = s.pk AND r.m = s.m", False),
    "by a default": ("coalesce(r.f1, {one}) = s.pk", False),
    "and a constant": ("r.f1 = s.pk AND s.m = {one}", False),
    "of an expression": ("{after} = s.pk", False),
    "not unequal": ("NOT (r.f1 <> s.pk)", False),
    "in CASE": ("CASE WHEN r.f1 = s.pk THEN true ELSE false END", False),
    "both nullable": ("r.f1 = s.f2", True),
    "not distinct": ("r.f1 IS NOT DISTINCT FROM s.f2", True),
    "in OR": ("(r.f1 = s.pk OR r.f2 = s.pk)", True),
    "less": ("r.f1 < s.pk", True),
}

NESTINGS = ["table", "derived", "CTE", "materialized CTE", "recursive CTE", "view", "view of a view", "TVIEW", "TVIEW of a TVIEW",
            "view of a TVIEW"]

RELATIONS = {"table": "ta", "partitioned": "td", "partition": "td_2", "parent": "te", "child": "te_1"}

# None: the grouping is in a subquery that is joined; else what the definition shows of its groups.
AGGREGATES = {
    "none": [],
    "count": ["count(*)", "count({x}.f1)"],
    "sum and average": ["sum(length({x}.note))", "avg(length({x}.note))"],
    "least and most": ["min({x}.at)", "max({x}.note COLLATE \"C\")"],
    "an ordered array": ['array_agg({x}.f2::text ORDER BY {x}.f2::text COLLATE "C")'],
    "an ordered document": ["jsonb_agg({x}.note ORDER BY {x}.note COLLATE \"C\")"],
    "an object": ["jsonb_object_agg({x}.pk::text, {x}.note) FILTER (WHERE {x}.pk IS NOT NULL)"],
    "a joined text": ["string_agg({x}.note, ',' ORDER BY {x}.note COLLATE \"C\")"],
    "with FILTER": ["count(*) FILTER (WHERE {x}.f1 IS NOT NULL)", "max({x}.day) FILTER (WHERE {x}.note > '')"],
    "of distinct values": ["count(DISTINCT {x}.f2)", "array_agg(DISTINCT {x}.day)"],
    "having": ["count(*)"],
    "a percentile": ["percentile_disc(0.5) WITHIN GROUP (ORDER BY {x}.at)"],
    "a boolean": ["bool_and({x}.f1 IS NULL)", "every({x}.note > '')", "bit_or(length({x}.note))"],
    "a user's": ["longest({x}.note)"],
    "in a subquery": None,
    "grouping sets below": None,
}

# What is joined to the definition, one row at most for each of its rows: (axis, value): (text, what is shown of it).
BELOW = {
    ("aggregate", "in a subquery"): (" LEFT JOIN (SELECT t.f1 AS k, count(*) AS n, min(t.m::text COLLATE \"C\") AS v FROM tc t GROUP BY t.f1) g"
                                     " ON g.k = {x}.pk", "g.n"),
    ("aggregate", "grouping sets below"): (" LEFT JOIN (SELECT t.f1 AS k, grouping(t.f1) AS level, count(*) AS n FROM tc t"
                                           " GROUP BY GROUPING SETS ((t.f1), ())) g ON g.k = {x}.pk AND g.level = 0", "g.n"),
    ("distinct", "in a subquery"): (" LEFT JOIN (SELECT DISTINCT t.f1 AS k FROM tb t) d ON d.k = {x}.pk", "d.k"),
    ("distinct", "on, in a subquery"): (" LEFT JOIN (SELECT DISTINCT ON (t.f2) t.f2 AS k, t.m AS v FROM tb t ORDER BY t.f2, t.pk) d"
                                        " ON d.k = {x}.f1", "d.v"),
    ("window", "the first of a subquery"): (" LEFT JOIN (SELECT * FROM (SELECT t.f2 AS k, t.note AS v, row_number() OVER (PARTITION BY t.f2"
                                            " ORDER BY t.pk) AS n FROM tc t) o WHERE o.n = 1) h ON h.k = {x}.pk", "h.v"),
}

FILTERS = {
    "none": "", "equal": "{x}.f1 = {one}", "less": "{x}.m < {three}", "is NULL": "{x}.f1 IS NULL", "is not NULL": "{x}.f2 IS NOT NULL",
    "OR": "{x}.f1 = {one} OR {x}.note > 's' COLLATE \"C\"", "NOT": "NOT ({x}.m = {two})", "IN a list": "{x}.m IN ({one}, {two}, {three})",
    "BETWEEN": "{x}.day BETWEEN '2024-02-28' AND '2024-03-03'", "LIKE": "{x}.note LIKE 'r%'",
    "CASE": "CASE WHEN {x}.f1 IS NULL THEN {x}.m = {one} ELSE true END", "rows": "({x}.m, {x}.day) < ({three}, '2024-03-01')",
    "of two columns": "{x}.f1 IS DISTINCT FROM {x}.f2",
}

WINDOWS = {
    "none": "",
    "a rank of all": "rank() OVER (ORDER BY {order})",
    "a count of mates": "count(*) OVER (PARTITION BY {part})",
    "by the key": "count(*) OVER (PARTITION BY {key})",
    "the row before": "lag({part}) OVER (PARTITION BY {part} ORDER BY {order})",
    "the first value": "first_value({key}) OVER (PARTITION BY {part} ORDER BY {order} DESC)",
    "rows of a frame": "count({part}) OVER (ORDER BY {order} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
    "groups of a frame": "count(*) OVER (PARTITION BY {part} ORDER BY {order} GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW)",
    "two": "row_number() OVER (PARTITION BY {part} ORDER BY {order}) + rank() OVER (ORDER BY {order})",
    "tiles": "ntile(2) OVER (PARTITION BY {part} ORDER BY {order})",
    "the first of a subquery": "",
}

LATERALS = {
    "none": "",
    "the first row": " LEFT JOIN LATERAL (SELECT t.note AS v FROM tb t WHERE t.f2 = {x}.pk ORDER BY t.m::text, t.pk LIMIT 1) l ON true",
    "an aggregate": " CROSS JOIN LATERAL (SELECT count(*) AS v FROM tb t WHERE t.f1 = {x}.pk) l",
    "a comma": ", LATERAL (SELECT max(t.at) AS v FROM tb t WHERE t.f1 IS NOT DISTINCT FROM {x}.f1) l",
    "unnest": ", unnest(ARRAY[{x}.f1]) l(v)",
    "VALUES": " CROSS JOIN LATERAL (VALUES ({x}.f1)) l(v)",
    "a series": ", LATERAL generate_series(1, 1 + 0 * length({x}.note)) l(v)",
    "no table": " LEFT JOIN LATERAL (SELECT {x}.f2 AS v WHERE {x}.f2 IS NOT NULL) l ON l.v = {x}.f2",
    "a union": " CROSS JOIN LATERAL (SELECT count(*) AS v FROM (SELECT t.f1 FROM tb t WHERE t.f1 = {x}.pk UNION SELECT {x}.f2) u) l",
    "one in another": " CROSS JOIN LATERAL (SELECT sum(n.n) AS v FROM tb t, LATERAL (SELECT count(*) AS n FROM tc q WHERE q.f1 = t.pk"
                      " AND q.m = {x}.m) n WHERE t.f2 = {x}.pk) l",
    "a document": ", LATERAL jsonb_each_text(jsonb_build_object('note', {x}.note)) l(k, v)",
    "several functions": ", ROWS FROM (unnest(ARRAY[{x}.note]), generate_series(1, 1)) WITH ORDINALITY l(v, n, o)",
}

# Conditions.
SUBLINKS = {
    "none": "",
    "EXISTS": "EXISTS (SELECT FROM tc q WHERE q.f1 = {x}.pk)",
    "NOT EXISTS": "NOT EXISTS (SELECT FROM tc q WHERE q.f1 = {x}.pk AND q.m = {two})",
    "IN": "{x}.f1 IN (SELECT q.m FROM tc q)",
    "NOT IN": "{x}.pk NOT IN (SELECT q.f3 FROM tc q WHERE q.f3 IS NOT NULL)",
    "NOT IN with NULL": "{x}.f1 NOT IN (SELECT q.f3 FROM tc q WHERE q.m > {two})",
    "ALL": "{x}.m >= ALL (SELECT q.m FROM tc q WHERE q.f1 = {x}.f1)",
    "rows": "({x}.f1, {x}.m) IN (SELECT q.f1, q.m FROM tc q)",
    "compared": "{x}.note <= (SELECT max(q.note) FROM tc q WHERE q.f2 = {x}.f2)",
    "of no row": "(SELECT count(*) FROM tc q) > 2",
    "nested": "EXISTS (SELECT FROM tc q WHERE q.f1 = {x}.pk AND q.m IN (SELECT p.m FROM tb p WHERE p.f1 = q.f2 OR p.f1 = {x}.f1))",
    "in OR": "{x}.f1 IS NULL OR EXISTS (SELECT FROM tc q WHERE q.pk = {x}.f1)",
    "in ON": "",
}
SUBLINK_VALUES = {
    "a value": "(SELECT max(q.note COLLATE \"C\") FROM tc q WHERE q.f1 = {x}.pk)",
    "an ARRAY": "ARRAY(SELECT q.day FROM tc q WHERE q.f1 = {x}.pk ORDER BY q.pk)",
    "EXISTS as a value": "EXISTS (SELECT FROM tc q WHERE q.f2 = {x}.pk)",
    "IN as a value": "{x}.f1 IN (SELECT q.f3 FROM tc q)",
    "a document": "(SELECT jsonb_agg(jsonb_build_object('note', q.note, 'day', q.day) ORDER BY q.pk) FROM tc q WHERE q.f1 = {x}.pk)",
    "a union": "(SELECT count(*) FROM (SELECT q.m FROM tc q WHERE q.f1 = {x}.pk UNION ALL SELECT p.m FROM tb p WHERE p.f1 = {x}.pk) u)",
}

WHOLE_ROWS = {
    "none": "", "a document": "to_jsonb({x})", "text": "{x}::text", "a column": "{x}", "is not NULL": "{x} IS NOT NULL",
    "a field": "({x}).note", "all columns": "ROW({x}.*)::text", "in a document": "jsonb_build_object('row', {x})",
    "hashed": "md5({x}::text)", "of a subquery": "(SELECT jsonb_agg(q ORDER BY q.pk) FROM tc q WHERE q.f1 = {x}.pk)",
    "counted": "(SELECT count(q) FROM tc q WHERE q.f1 = {x}.pk)", "of the other": "to_jsonb({y})", "of the other, is NULL": "{y} IS NULL",
}

# Name: (value, condition).
FUNCTIONS = {
    "none": ("", ""),
    "built in": ("upper({x}.note) || length({x}.note)", "length({x}.note) >= 0 OR {x}.note IS NULL"),
    "in SQL": ("in_sql({x}.note)", "in_sql({x}.note) <> 'x1'"),
    "in SQL, parsed": ("in_sql_parsed({x}.note, {x}.day)", ""),
    "in PL/pgSQL": ("in_plpgsql({x}.note)", "in_plpgsql({x}.note) <> 'x1'"),
    "stable": ("stable_one({x}.note)", "stable_one({x}.note) <> 'x1'"),
    "with defaults": ("with_defaults({x}.note)", ""),
    "variadic": ("variadic_one({x}.note, 'a', {x}.note)", ""),
    "polymorphic": ("polymorphic_one({x}.f1, {x}.f1)", ""),
    "of a row": ("of_row({x}.day, {x}.note)", ""),
    "an operator": ("{x}.note ~+ 'x'", "{x}.note ~+ 'x' <> 'xx'"),
    "a domain": ("{x}.note::short_text", ""),
    "a cast": ("{x}.day::wrapped", ""),
    "a set in the list": ("set", ""),
    "CASE": ("CASE WHEN {x}.f1 IS NULL THEN 'none' WHEN {x}.note > 's' COLLATE \"C\" THEN {x}.note ELSE {x}.day::text END", ""),
    "built of several": ("coalesce(nullif({x}.note, ''), greatest({x}.day, '2024-03-01')::text)", ""),
    "a document's part": ("(jsonb_build_object('a', jsonb_build_array({x}.note)) #>> '{{a,0}}')", ""),
    "an expression": ("regexp_replace({x}.note, '[aeiou]', '*', 'g')", "{x}.note ~ '^r' OR {x}.note !~ 'z'"),
}

SETTINGS = {
    "none": "", "a time": "{x}.at::text", "a day": "{x}.day::text", "an interval": "{x}.gap::text", "bytes": "{x}.raw::text",
    "a float": "{x}.ratio::text", "words": "to_tsvector({x}.note)::text", "a day of a time": "{x}.at::date",
    "a part of a time": "extract(hour FROM {x}.at)", "truncated": "date_trunc('day', {x}.at)", "a format": "to_char({x}.at, 'YYYY-MM-DD HH24 TZ')",
    "concatenated": "concat({x}.at, '|', {x}.gap)", "a document": "jsonb_build_object('at', {x}.at, 'gap', {x}.gap, 'raw', {x}.raw)",
    "compared": "{x}.at > {x}.day", "money": "({x}.ratio * 1000)::numeric::money::text", "a query of words": "to_tsvector({x}.note) @@ to_tsquery('run')",
    "an array": "ARRAY[{x}.at]::text", "a row": "ROW({x}.at, {x}.ratio)::text",
}

# Of the first columns: what statements of ours could take for their own.
NAMES = {"plain": [], "t and v": ["t", "v", "r", "s"], "quoted": ['"Mixed Case"', '"a""b"', '"select"', '"\u00e9"'],
         "of ours": ["stored", "expected", "difference", "pg_tviews_delta", "keys"]}

OBJECTS = "".join([
    "CREATE FUNCTION in_sql(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT 'x' || length($1) $$;",
    "CREATE FUNCTION in_sql_parsed(a text, d date) RETURNS text LANGUAGE sql IMMUTABLE RETURN a || extract(day FROM d);",
    "CREATE FUNCTION in_plpgsql(a text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 'p' || length(a); END $$;",
    "CREATE FUNCTION stable_one(text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 's' || length($1) $$;",
    "CREATE FUNCTION with_defaults(a text, b text DEFAULT 'b', c int DEFAULT 3) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT a || b || c $$;",
    "CREATE FUNCTION variadic_one(a text, VARIADIC b text[]) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT cardinality(b) + length(a) $$;",
    "CREATE FUNCTION polymorphic_one(anyelement, anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce($1, $2) $$;",
    "CREATE TYPE wrapped AS (d date);",
    "CREATE FUNCTION of_row(d date, t text) RETURNS wrapped LANGUAGE sql IMMUTABLE RETURN ROW(d + length(t))::wrapped;",
    "CREATE FUNCTION wrap(date) RETURNS wrapped LANGUAGE sql IMMUTABLE RETURN ROW($1)::wrapped;",
    "CREATE CAST (date AS wrapped) WITH FUNCTION wrap(date);",
    "CREATE FUNCTION joined(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || $2 $$;",
    "CREATE OPERATOR ~+ (FUNCTION = joined, LEFTARG = text, RIGHTARG = text);",
    "CREATE DOMAIN short_text AS text CHECK (length(VALUE) < 99);",
    "CREATE FUNCTION longer(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS"
    " $$ SELECT CASE WHEN length($2) > length($1) OR (length($2) = length($1) AND $2 > $1 COLLATE \"C\") OR $1 IS NULL THEN $2 ELSE $1 END $$;",
    "CREATE AGGREGATE longest(text) (SFUNC = longer, STYPE = text);",
])


def nested(name, nesting, kind):
    """How FROM reaches `name`: text, statements that this needs, a CTE or None."""
    view = f"CREATE VIEW view_{name} AS SELECT * FROM (SELECT * FROM {name}) t;"
    tview = f"CREATE TABLE tv_copy_{name} WITH (pg_tviews.key = 'pk') AS SELECT * FROM {name};"
    if nesting == "table":
        return name, [], None
    if nesting == "derived":
        return f"(SELECT * FROM (SELECT * FROM {name}) t WHERE t.pk IS NOT NULL)", [], None
    if nesting == "CTE":
        return f"w_{name}", [], f"w_{name} AS (SELECT * FROM {name})"
    if nesting == "materialized CTE":
        return f"m_{name}", [], f"m_{name} AS MATERIALIZED (SELECT * FROM {name})"
    if nesting == "recursive CTE":
        links = f"SELECT t.pk FROM {name} t WHERE t.f1 IS NULL UNION SELECT t.pk FROM {name} t JOIN tree ON t.f1 = tree.pk"
        return (f"(SELECT t.* FROM {name} t WHERE t.f1 IS NOT NULL OR t.pk IN (WITH RECURSIVE tree(pk) AS ({links}) SELECT tree.pk FROM tree))",
                [], None)
    if nesting == "view":
        return f"view_{name}", [view], None
    if nesting == "view of a view":
        return f"outer_{name}", [view, f"CREATE VIEW outer_{name} AS SELECT * FROM view_{name} WHERE m IS NOT NULL;"], None
    if nesting == "TVIEW":
        return f"tv_copy_{name}", [tview], None
    if nesting == "TVIEW of a TVIEW":
        return f"tv_next_{name}", [tview, f"CREATE TABLE tv_next_{name} WITH (pg_tviews.key = 'pk') AS SELECT * FROM tv_copy_{name};"], None
    assert nesting == "view of a TVIEW", nesting
    return f"above_{name}", [tview, f"CREATE VIEW above_{name} AS SELECT * FROM tv_copy_{name};"], None
