"""kill -9 at every named point of a lane's batch, of the lane's applier, of the main one meanwhile, and of the whole server; and
of the main one at every point of the batch that hands over. Nothing is lost, and nothing is shown twice or half."""
import psycopg2

import pauses
from tviews_server import Server, check_equal, kill_process, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_one (pk_one int PRIMARY KEY, amount int NOT NULL);
CREATE TABLE tb_two (pk_two int PRIMARY KEY, amount int NOT NULL);
INSERT INTO tb_one SELECT i, 100 FROM generate_series(1, 20) i;
INSERT INTO tb_two SELECT i, 100 FROM generate_series(1, 20) i;
CREATE TABLE tv_one AS SELECT pk_one, amount FROM tb_one;
CREATE TABLE tv_two WITH (pg_tviews.lane = 'slow') AS SELECT pk_two, amount FROM tb_two;
CREATE TABLE tv_all WITH (pg_tviews.lane = 'slow') AS
SELECT 1 AS pk_all, (SELECT sum(amount) FROM tb_one) + (SELECT sum(amount) FROM tb_two) AS amount;
"""


def reconnect():
    try:
        found = server.connect("bank")
        run(found, "SELECT 1")
        return found
    except psycopg2.OperationalError:
        return None


def transfer():
    """From one table to the other, for both lanes."""
    run(connection, "BEGIN; UPDATE tb_one SET amount = amount - 1; UPDATE tb_two SET amount = amount + 1; COMMIT")


def pid_at(point):
    return value(connection, "SELECT pid FROM pg_stat_activity WHERE query = %s LIMIT 1", (f"paused at {point}",))


def pid_of(lane):
    return value(connection, "SELECT pid FROM pg_tviews_lanes WHERE lane = %s", (lane,))


def kill(pid):
    global connection
    if pid is None:
        server.kill()
        server.start()
        connection = wait_until(reconnect, "the server to be back")
    else:
        connection = kill_process(server, "bank", pid)


with Server("lane_crashes", pauses.CONF) as server:
    connection = server.prepare("bank", SCRIPT)
    check_equal(connection, "at the start")
    crashes = 0
    for points, victims in ((pauses.LANE, ("lane", "main", "server")), (pauses.APPLIER, ("lane", "main"))):
        for point in points:
            for victim in victims:
                with pauses.pause(server, "bank", point) as paused:
                    transfer()
                    paused()
                    transfer()
                    at_point = "lane" if points is pauses.LANE else "main"
                    kill(None if victim == "server" else pid_at(point) if victim == at_point
                         else pid_of("slow" if victim == "lane" else "main"))
                assert value(connection, "SELECT amount FROM tv_all") == 4000, (point, victim)
                check_equal(connection, f"{point} {victim}")
                crashes += 1
    assert value(connection, "SELECT min(amount) FROM tv_two") == 100 + 2 * crashes
    print(f"note: {crashes} crashes")
