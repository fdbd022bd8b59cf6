"""What docs/integrations/node.md says of clients of npm: their migrations, synchronizations and prepared statements.

Danger: a tool drops TVIEWs that it does not know, a migration in one transaction fails at them, a no-op ALTER TYPE is refused.
Right answer: what the page says. Each program here has a database of its own; npm has to be able to fetch packages."""
import os
import pathlib
import shutil
import subprocess
import sys

from tviews_server import ROOT, Server, check_equal, run

HERE = ROOT / "test/clients"
PROGRAMS = sorted(path.stem for path in HERE.glob("*.mjs") if path.stem != "page")

assert PROGRAMS, "no programs"
modules = pathlib.Path(sys.argv[1]).resolve() / "clients"
modules.mkdir(exist_ok=True)
for path in [*HERE.glob("*.mjs"), *HERE.glob("*.json")]:
    shutil.copy(path, modules)
subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=modules, check=True)

with Server("node_clients") as server:
    administrator = server.connect()
    for program in PROGRAMS:
        run(administrator, f"CREATE DATABASE {program}")
        session = server.connect(program)
        run(session, "CREATE SCHEMA tviews")
        run(session, "CREATE EXTENSION pg_tviews SCHEMA tviews")
        run(session, f"ALTER DATABASE {program} SET search_path = public, tviews")
        session.close()
        subprocess.run(["node", f"{program}.mjs"], cwd=modules, check=True, timeout=120, env={
            **os.environ, "PGHOST": server.socket, "PGUSER": "postgres", "PGDATABASE": program, "PAGE": str(ROOT / "docs/integrations/node.md")})
        session = server.connect(program)
        check_equal(session)
        session.close()
