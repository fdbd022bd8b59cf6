"""tools/after_recovery.sh: the check after a disaster finds what is wrong in any database, and nothing where all is well."""
import os
import subprocess

import shop
import trap
from tviews_server import ROOT, Server, bash, run, value, wait_until


def check(server, timeout="1 minute", error=""):
    path = bash('server_bin "$1"', server.directory) + ":" + os.environ["PATH"]
    done = subprocess.run([ROOT / "tools/after_recovery.sh", "-h", server.socket, "-U", "postgres"],
                          env={"PATH": path, "TIMEOUT": timeout}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode in (0, 1) and (error in done.stderr if error else done.stderr == ""), done
    lines = done.stdout.splitlines()
    assert (done.returncode == 1) == any(line.endswith(" WRONG") for line in lines), done
    return lines


with Server("after_recovery", "pg_tviews.audit_rate = 0\n") as server:
    assert check(server) == ["no TVIEWs"]
    first = server.prepare("first", shop.SCRIPT)
    admin = server.connect()
    run(admin, 'CREATE DATABASE "second one"')
    second = server.connect("second one")
    run(second, """CREATE SCHEMA ext; CREATE EXTENSION pg_tviews SCHEMA ext; CREATE SCHEMA "Own";
        CREATE TABLE public.tb_a (pk_a int PRIMARY KEY, divisor int NOT NULL); INSERT INTO tb_a VALUES (1, 1), (2, 2);
        CREATE TABLE "Own"."tv_A" WITH (pg_tviews.key = 'pk_a') AS SELECT tb_a.pk_a, 10 / tb_a.divisor AS share FROM public.tb_a""")
    for database in (admin, first, second):
        trap.set_trap(database)
    well = [f"first public.tv_{name} equal ok" for name in ("customer", "order", "spending", "summary")]
    assert check(server) == well + ['second one "Own"."tv_A" equal ok'], check(server)

    run(first, "SET pg_tviews.protect = off; DELETE FROM tv_spending WHERE pk_spending IN (3, 4)")
    run(second, "UPDATE tb_a SET divisor = 0 WHERE pk_a = 2")
    wait_until(lambda: value(second, "SELECT count(*) FROM ext.pg_tview_dead_letter"), "quarantine")
    assert check(server) == well[:2] + ["first public.tv_spending 2 rows differ: pg_tviews_refresh WRONG", well[3],
        'second one "Own"."tv_A" in quarantine: pg_tview_dead_letter has the error WRONG'], check(server)

    run(first, "SELECT pg_tviews_refresh('spending')")
    run(second, "UPDATE tb_a SET divisor = 5 WHERE pk_a = 2")
    assert check(server) == well + ['second one "Own"."tv_A" equal ok'], check(server)
    # A database that cannot be asked is not well, whichever it is.
    assert check(server, "soon", "invalid input syntax") == [f"{database} could not be checked WRONG" for database in ("first", "second one")]
