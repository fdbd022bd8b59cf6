"""What the tests of generated definitions share: how many TVIEWs are compared at once, and the planner's costs."""
from tviews_server import run, value

# The tables are small: all rows of a group or window would be read rather than those of the key.
AS_IF_LARGE = ("enable_hashjoin = off", "enable_mergejoin = off", "enable_material = off", "enable_memoize = off",
               "seq_page_cost = 0", "random_page_cost = 0", "cpu_operator_cost = 0", "cpu_index_tuple_cost = 0")


def choose_costs(connection, as_if_large):
    run(connection, "ALTER SYSTEM RESET ALL")
    for setting in AS_IF_LARGE if as_if_large else ():
        run(connection, f"ALTER SYSTEM SET {setting}")
    run(connection, "SELECT pg_reload_conf()")


def difference(entity):
    """A query that returns the entity if the TVIEW is not its query."""
    # The row constructor, because a column may have the name of the alias. As text, because values that are equal need not be the same. Like EXCEPT ALL both ways, with the query run once.
    rows = f"SELECT ROW(t.*)::text AS row, 1 AS n FROM tv_{entity} t UNION ALL SELECT ROW(v.*)::text, -1 FROM v_{entity} v"
    return f"SELECT '{entity}' WHERE EXISTS (SELECT FROM ({rows}) b GROUP BY b.row HAVING sum(b.n) <> 0)"


class Comparison:
    """Of many TVIEWs in one prepared statement: planning fifty queries takes longer than running them."""

    def __init__(self):
        self.prepared = None

    def run(self, connection, entities):
        """The entities that are not their query."""
        query = " UNION ALL ".join(map(difference, entities))
        if self.prepared != query:
            if self.prepared:
                run(connection, "DEALLOCATE compare")
            self.prepared = None
            run(connection, f"PREPARE compare AS {query}")
            self.prepared = query
        return [entity for (entity,) in run(connection, "EXECUTE compare")]


def is_settled(connection):
    """True if this snapshot is one at which the TVIEWs stand."""
    return not value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox")
