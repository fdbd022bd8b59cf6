"""tools/backup.sh: what it saves comes back after the database is lost, with the audit log and the settings; its drill
leaves nothing behind, and finds a backup that is not good."""
import os
import shutil
import subprocess
import tempfile

import shop
from tviews_server import ROOT, Server, bash, check_equal, run, value, wait_until

LOG = "SELECT log_id, operation, entity, performed_by, performed_at, details FROM ext.pg_tview_audit_log WHERE log_id <= {} ORDER BY log_id"


def backup(server, *arguments, error=None):
    path = bash('server_bin "$1"', server.directory) + ":" + os.environ["PATH"]
    done = subprocess.run([ROOT / "tools/backup.sh", *arguments, "-h", server.socket, "-U", "postgres"],
                          env={"PATH": path, "TIMEOUT": "1 minute"}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode == 0) == (error is None) and (error or "") in done.stdout + done.stderr, done
    return done.stdout


def databases(server):
    connection = server.connect()
    found = {row[0] for row in run(connection, "SELECT datname FROM pg_database WHERE datallowconn")}
    connection.close()
    return found - {"postgres", "template1"}


with Server("backup_tool") as server, tempfile.TemporaryDirectory() as place:
    admin = server.connect()
    run(admin, """CREATE DATABASE "my shop" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'""")
    run(admin, """ALTER DATABASE "my shop" SET pg_tviews.read_consistency = strict;
        ALTER DATABASE "my shop" SET search_path = "$user", public, ext;
        CREATE ROLE clerk; ALTER ROLE clerk IN DATABASE "my shop" SET work_mem = '7MB'""")
    connection = server.connect("my shop")
    run(connection, "CREATE SCHEMA ext; CREATE EXTENSION pg_tviews SCHEMA ext")
    run(connection, shop.SCRIPT.replace("CREATE EXTENSION pg_tviews;", ""))
    run(connection, "SELECT pg_tviews_refresh('order'); SELECT pg_tviews_pause(); SELECT pg_tviews_resume()")
    last = value(connection, "SELECT max(log_id) FROM ext.pg_tview_audit_log")
    logged = run(connection, LOG.format(last))
    assert {"CREATE", "REFRESH", "PAUSE", "RESUME"} <= {row[1] for row in logged}, logged

    # The drill, and after it everything is as it was.
    assert "drill: saved" in backup(server, "drill", "my shop")
    assert databases(server) == {"my shop"} and run(connection, LOG.format(last + 9)) == logged

    # The loss of the database.
    saved = place + "/saved"
    backup(server, "save", "my shop", saved)
    assert os.stat(saved).st_mode & 0o77 == 0
    backup(server, "save", "my shop", saved, error="exists")
    backup(server, "restore", saved, "my shop", error="already exists")
    connection.close()
    run(admin, 'DROP DATABASE "my shop" WITH (FORCE)')
    backup(server, "restore", saved, "my shop")
    connection = server.connect("my shop")
    assert run(connection, LOG.format(last)) == logged, run(connection, LOG.format(last))
    assert value(connection, f"SELECT count(*) > 0 FROM ext.pg_tview_audit_log WHERE log_id > {last} AND operation = 'ADOPT'")
    assert value(connection, "SHOW pg_tviews.read_consistency") == "strict"
    assert value(connection, "SHOW search_path") == '"$user", public, ext'
    assert value(connection, "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'clerk'::regrole") == ["work_mem=7MB"]
    assert value(connection, "SELECT datcollate FROM pg_database WHERE datname = current_database()") == "C"
    run(connection, "UPDATE tb_customer SET name = 'after the loss' WHERE pk_customer = 1")
    run(connection, "SELECT pg_tviews_wait()")
    check_equal(connection, "after the restore")

    # Names and settings that somebody has made for whoever restores: lists are stored as they were given, a name may look
    # like a connection, and a line that ends the data of psql may be within a value.
    odd, trap = "host=elsewhere' \\ x", place + "/trap"
    run(admin, f'CREATE DATABASE "{odd}"')
    connection = server.connect(odd)
    run(connection, "CREATE EXTENSION pg_tviews; CREATE TABLE tb_odd (pk_odd int PRIMARY KEY); INSERT INTO tb_odd VALUES (1)")
    run(connection, f"""CREATE TABLE "tv_a\n\\.\n\\! touch {trap}" AS SELECT pk_odd AS pk_a FROM tb_odd""")
    run(connection, "SET ROLE clerk")
    run(connection, f"SELECT set_config('search_path', 'a;\\!touch${{IFS}}{trap};,\"B;c\",D;CREATE/**/ROLE/**/made;--', false)")
    run(connection, f"""ALTER ROLE clerk IN DATABASE "{odd}" SET search_path FROM CURRENT; RESET ROLE""")
    before = run(connection, "SELECT setrole::regrole::text, setconfig FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())")
    connection.close()
    assert "1 TVIEWs" in backup(server, "drill", odd)
    backup(server, "save", odd, place + "/odd")
    run(admin, f'DROP DATABASE "{odd}" WITH (FORCE)')
    backup(server, "restore", place + "/odd", odd)
    connection = server.connect(odd)
    assert not os.path.exists(trap) and not value(admin, "SELECT count(*) FROM pg_roles WHERE rolname = 'made'")
    after = run(connection, "SELECT setrole::regrole::text, setconfig FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())")
    assert len(before) == len(after) == 1 and after[0][1] == [f'search_path="a;\\!touch${{ifs}}{trap.lower()};", "B;c", "d;create/**/role/**/made;--"'], (before, after)
    connection.close()
    run(admin, f'DROP DATABASE "{odd}" WITH (FORCE)')
    connection = server.connect("my shop")

    # Backups that are not good: a TVIEW is not in it, or cannot be computed; somebody else's database is not touched.
    with open(saved + "/tviews", "a", encoding="utf-8") as file:
        file.write("public.tv_of_yesterday\n")
    backup(server, "restore", saved, "other", error="TVIEWs are missing: public.tv_of_yesterday")
    backup(server, "restore", place, "third", error="is no backup")
    run(admin, "DROP DATABASE other")
    run(admin, 'CREATE DATABASE "my shop_drill"')
    backup(server, "drill", "my shop", error="my shop_drill exists")
    assert databases(server) == {"my shop", "my shop_drill"}
    run(admin, 'DROP DATABASE "my shop_drill"')
    run(connection, """CREATE TABLE tb_bad (pk_bad int PRIMARY KEY, divisor int NOT NULL); INSERT INTO tb_bad VALUES (1, 1);
        CREATE TABLE tv_bad AS SELECT b.pk_bad, 1 / b.divisor AS share FROM tb_bad b; UPDATE tb_bad SET divisor = 0""")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_dead_letter"), "quarantine")
    backup(server, "drill", "my shop", error="is not what it should be")
    assert databases(server) == {"my shop"}
    shutil.rmtree(saved)
