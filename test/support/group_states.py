"""What tests of group states ask: whether each that may be read is what its query says, value by value."""
from tviews_server import run, wait_until


def states(connection):
    """[(id, TVIEW, name of the table of its rows, source, spec, columns)] of those that may be read."""
    return run(connection, """
        SELECT s.id, s.tview::text, 'tviews_internal.pg_tview_groups_' || CASE key_type WHEN 'text[]'::regtype THEN 'keys' ELSE t.typname END,
            s.source::text, s.spec, 'k, c, n, p, m' || s.places
        FROM tviews_internal.pg_tview_group_state s JOIN tviews_internal.pg_tview_group_built b ON b.state = s.id
        JOIN pg_type t ON t.oid = s.key_type ORDER BY s.id""")


def check_states(connection, context=""):
    """As of a moment when nothing is left to apply. As text: 2.0 is not 2.00."""
    found = states(connection)
    for state, tview, table, source, spec, columns in found:
        fresh = f"SELECT x::text FROM (SELECT {columns} FROM (WITH pg_tviews_rows AS " \
                f"(SELECT *, 1::bigint AS pg_tviews_weight FROM {source}) SELECT * FROM ({spec}) AS said) AS fresh WHERE n <> 0) AS x"
        kept = f"SELECT x::text FROM (SELECT {columns} FROM {table} WHERE state = {state}) AS x"
        missing, extra = (run(connection, f"({one}) EXCEPT ALL ({other}) LIMIT 3") for one, other in ((fresh, kept), (kept, fresh)))
        assert not missing and not extra, f"{context}: state {state} of {tview}: missing: {missing}, extra: {extra}"
    values = run(connection, """
        SELECT s.id, s.source::text, s.valued FROM tviews_internal.pg_tview_group_state s JOIN tviews_internal.pg_tview_group_built b ON b.state = s.id
        WHERE s.valued <> '' AND 1 = (SELECT count(*) FROM tviews_internal.pg_tview_group_source g WHERE g.state = s.id)""")
    for state, source, valued in values:
        fresh = f"SELECT (v.k || ARRAY[v.place::text, v.v])::text, v.n FROM (WITH pg_tviews_rows AS " \
                f"(SELECT *, 1::bigint AS pg_tviews_weight FROM {source}) SELECT * FROM ({valued}) AS said) AS v"
        kept = f"SELECT k::text, n FROM tviews_internal.pg_tview_groups_keys WHERE state = -{state}"
        rows = run(connection, f"(({fresh}) EXCEPT ALL ({kept}) UNION ALL (({kept}) EXCEPT ALL ({fresh}))) LIMIT 3")
        assert not rows, f"{context}: values of state {state}: {rows}"
    return len(found)


def builds(connection):
    """When each state was built last: what has not moved was kept by delta."""
    return dict(run(connection, "SELECT state, built_at::text FROM tviews_internal.pg_tview_group_built"))


def check_texts(connection, context=""):
    """Every TVIEW prints what its query prints: values that are equal and look different are not the same."""
    for tview, view in run(connection, "SELECT tview::text, backing_view::text FROM pg_tview_meta ORDER BY 1"):
        for one, other, what in ((view, tview, "missing"), (tview, view, "extra")):
            rows = run(connection, f"(SELECT x::text FROM {one} AS x) EXCEPT ALL (SELECT x::text FROM {other} AS x) LIMIT 3")
            assert not rows, f"{context}: {tview}: {what}: {rows}"


def settle(connection, context=""):
    """States are looked at first: they follow in every batch, also of a TVIEW that does not. Who ends appliers in the same refresh
    twice finds its TVIEW left behind, by design; it catches up before it is compared."""
    run(connection, "SELECT pg_tviews_wait()")
    count = check_states(connection, context)

    def follows():
        for entity, in run(connection, "SELECT entity FROM pg_tview_behind JOIN pg_tview_meta USING (tview)"):
            run(connection, "SELECT pg_tviews_retry(%s)", (entity,))
        run(connection, "SELECT pg_tviews_wait()")
        return not run(connection, "SELECT tview FROM pg_tview_behind")
    wait_until(follows, f"{context}: TVIEWs that were left behind")
    check_texts(connection, context)
    check_states(connection, context)
    return count
