"""Through PgBouncer in transaction mode every transaction may meet another server session: the token of
pg_current_xact_id() still tells what to wait for, as it does after a reconnect. What a session has
committed is not known to another one, so reading without the token can miss it."""
import os
import shutil
import subprocess

import psycopg2

from tviews_server import Server, bash, check_equal, run, value, wait_until

PORT = 6432
SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_a SELECT i, 0 FROM generate_series(1, 10) i;
CREATE TABLE tv_a AS SELECT tb_a.pk_a, tb_a.n FROM tb_a;
"""


def start_pooler(server):
    directory = f"{server.directory}/pooler"
    bash('make_server_dir "$1"', directory)
    socket = bash('dir="$(server_socket "$1")/b"; make_server_dir "$dir"; echo "$dir"', server.directory)
    configuration = server.conf.with_suffix(".ini")
    configuration.write_text(f"""[databases]
* = host={server.socket} user=postgres
[pgbouncer]
listen_addr =
listen_port = {PORT}
unix_socket_dir = {socket}
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_round_robin = 1
logfile = {directory}/log
pidfile = {directory}/pid
""")
    copy = f"{directory}/pgbouncer.ini"
    shutil.copy(configuration, copy)
    os.chmod(copy, 0o644)
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    bash('as_server "$1" -d -q "$2"', program, copy)
    wait_until(lambda: os.path.exists(f"{socket}/.s.PGSQL.{PORT}"), "the pooler to listen")
    return socket, directory


def connect(socket):
    connection = psycopg2.connect(host=socket, port=PORT, user="postgres", dbname="pooled")
    connection.autocommit = True
    return connection


def write(client, n):
    """One transaction; its token."""
    return run(client, "WITH w AS (UPDATE tb_a SET n = %s RETURNING 1) SELECT pg_current_xact_id()::text FROM w LIMIT 1",
               (n,))[0][0]


with Server("pooler") as server:
    direct = server.prepare("pooled", SCRIPT)
    check_equal(direct)
    socket, directory = start_pooler(server)
    try:
        clients = [connect(socket) for _ in range(4)]
        backends, n = set(), 0
        # Three transactions at a time have the pooler open as many sessions.
        for client in clients[:3]:
            run(client, "BEGIN")
        for client in clients[:3]:
            run(client, "COMMIT")
        for turn in range(25):
            for i, client in enumerate(clients):
                n += 1
                backends.add(value(client, "SELECT pg_backend_pid()"))
                token = write(client, n)
                other = clients[(i + turn) % 4]
                run(other, "SELECT pg_tviews_wait_for(%s::text::xid8, '60 s')", (token,))
                assert value(client, "SELECT min(n) FROM tv_a") == n
        assert len(backends) > 1, "the pooler was to spread transactions over sessions"
        # After a reconnect, and from outside of the pooler.
        token = write(clients[0], n + 1)
        clients[0].close()
        again = connect(socket)
        run(again, "SELECT pg_tviews_wait_for(%s::text::xid8, '60 s')", (token,))
        assert value(again, "SELECT min(n) FROM tv_a") == n + 1
        token = write(again, n + 2)
        run(direct, "SELECT pg_tviews_wait_for(%s::text::xid8, '60 s')", (token,))
        assert value(direct, "SELECT min(n) FROM tv_a") == n + 2
        # strict needs no token.
        for client in clients[1:]:
            n += 1
            write(client, n)
            run(again, "BEGIN")
            run(again, "SET LOCAL pg_tviews.read_consistency = strict")
            assert value(again, "SELECT min(n) FROM tv_a") == n
            run(again, "COMMIT")
        check_equal(direct, "at the end")
    finally:
        bash('as_server kill "$(as_server cat "$1/pid")"', directory, check=False)
