"""What the server's STABLE functions depend on: every one of this server version is in the tables of
src/backend/lineage/stable_functions.cc, and a TVIEW that calls it is refused, refused without a period, reported as
not determined by its sources, or neither, as its table says. A new server version's functions are found here."""
import re

import psycopg2

from tviews_server import ROOT, Server, run, value

SOURCE = (ROOT / "src/backend/lineage/stable_functions.cc").read_text()


def table(name):
    entries = re.search(r"%s\[\] = \{(.*?)\};" % name, SOURCE, re.S)[1]
    return re.findall(r'"([^"]+)"', entries)


TABLES = {"refused": table("kSession"), "clock": table("kClock"), "undetermined": table("kOutside"), "determined": table("kSettings")}


def matches(entry, name, types):
    if entry in (name, f"{name}/{len(types)}") or len(types) == 1 and entry == f"{name}({types[0]})":
        return True
    return "*" in entry and re.fullmatch(re.escape(entry).replace(r"\*", ".*"), name) is not None


def kind_of(name, types):
    for kind, entries in TABLES.items():
        if any(matches(entry, name, types) for entry in entries):
            return kind
    return None


def outcome(connection, call):
    """What becomes of a TVIEW that calls a function; None if it cannot be called so."""
    run(connection, "BEGIN")
    try:
        run(connection, f"CREATE TABLE tv_a AS SELECT pk_a, {call} AS x FROM tb_a WITH NO DATA")
        found = value(connection, "SELECT options ? 'undetermined' FROM pg_tview_meta")
        return "undetermined" if found else "determined"
    except psycopg2.Error as error:
        if error.pgcode == "42P17" and "without a period" in str(error):
            return "clock"
        if error.pgcode == "42P17" and "a TVIEW cannot use" in str(error):
            assert "without a session" in str(error), error
            return "refused"
        return None
    finally:
        run(connection, "ROLLBACK")


with Server("stable_functions") as server:
    connection = server.prepare("functions", "SET client_min_messages = error; CREATE TABLE tb_a (pk_a int PRIMARY KEY)")
    functions = run(connection, """
        SELECT p.proname, ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n) ORDER BY n),
               p.proretset, p.prorettype IN ('internal'::regtype, 'trigger'::regtype) OR EXISTS (
                   SELECT FROM pg_type AS t WHERE t.oid = ANY (p.proargtypes) AND t.typtype = 'p'), p.prokind
        FROM pg_proc AS p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.provolatile = 's' ORDER BY 1, 2""")
    assert len(functions) > 500, len(functions)
    unknown, wrong, tried = [], [], {}
    for name, types, is_set, is_special, kind in functions:
        signature = f"{name}({', '.join(types)})"
        expected = kind_of(name, types)
        if expected is None:
            unknown.append(signature)
        if is_special or kind != "f":
            continue
        call = f"pg_catalog.\"{name}\"({', '.join('NULL::' + t for t in types)})"
        call = f"(SELECT count(*) FROM {call} AS called)" if is_set else f"num_nulls({call})"
        got = outcome(connection, call)
        if got is not None:
            tried[got] = tried.get(got, 0) + 1
            if got != expected:
                wrong.append((signature, got, expected))
    print(f"note: {len(functions)} functions, {tried}")
    assert not unknown, f"not in the tables: {unknown}"
    assert not wrong, wrong
    assert tried.pop("clock") > 4 and min(tried.values()) > 50, tried
    for call in ("CURRENT_USER", "SESSION_USER", "CURRENT_ROLE", "USER", "CURRENT_SCHEMA"):
        assert outcome(connection, call) == "refused", call
    for call in ("CURRENT_DATE", "CURRENT_TIMESTAMP", "CURRENT_TIME(3)", "LOCALTIME", "LOCALTIMESTAMP(0)"):
        assert outcome(connection, call) == "clock", call
    assert outcome(connection, "CURRENT_CATALOG") == "undetermined"
