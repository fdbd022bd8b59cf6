"""pg_tview_audit_log tells from where somebody came: address and port over TCP, neither over a unix socket."""
import os

import psycopg2

from monitoring import free_port
from tviews_server import Server, run, value

LOG = "SELECT operation, entity, performed_by, client_addr, client_port FROM pg_tview_audit_log ORDER BY log_id DESC LIMIT 1"

port = free_port()
os.environ["PGPORT"] = str(port)  # of the socket too
with Server("audit_log", conf=f"listen_addresses = '127.0.0.1'\nport = {port}\n") as server:
    connection = server.prepare("logged", """
        CREATE ROLE remote LOGIN SUPERUSER;
        CREATE TABLE tb_page (pk_page int PRIMARY KEY, title text NOT NULL);
        CREATE TABLE tv_page AS SELECT tb_page.pk_page, tb_page.title FROM tb_page""")
    assert run(connection, LOG) == [("CREATE", "page", "postgres", None, None)], run(connection, LOG)
    with psycopg2.connect(host="127.0.0.1", user="remote", dbname="logged") as remote:
        run(remote, "DROP TABLE tv_page")
        here = value(remote, "SELECT inet_client_port()")
    assert run(connection, LOG) == [("DROP", "page", "remote", "127.0.0.1", here)], (run(connection, LOG), here)
