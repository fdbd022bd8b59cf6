"""Beside extensions of PostgreSQL's own packages: loaded before pg_tviews and after it, and with TVIEWs over their types.

Danger: a hook that is called in another order sees other plans or none, instrumentation meets what the applier runs; a type whose
equal values differ leaves a TVIEW as it was, or an operator in another schema is not found."""
import re

import foreign_types
from tviews_server import Server, run, value

SETTINGS = """
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_triggers = on
auto_explain.log_nested_statements = on
pg_stat_statements.track = all
"""

for order, types in (("auto_explain, pg_stat_statements, pg_tviews", ("citext", "ltree")), ("pg_tviews, pg_stat_statements, auto_explain", ("hstore",))):
    with Server("coexistence", f"{SETTINGS}shared_preload_libraries = '{order}'\n") as server:
        connection = server.prepare("beside", "CREATE EXTENSION pg_stat_statements")
        for extension in types:
            foreign_types.check_type(connection, extension)
        # Both saw what sessions and the applier did.
        assert value(connection, "SELECT count(*) FROM pg_stat_statements WHERE query LIKE 'UPDATE tb_%'") > 0
        log = server.log()
        for process in ("pg_tviews applier", "client backend test"):
            assert re.search(process + " +LOG:  duration:", log), (order, process)
