"""The server's clock is set back, and forth again: the frontier's time never goes back, so no row that has expired comes again.

Danger: rows of before come back, or a row whose moment has been passed twice leaves twice (the change feed would say so); the
applier, or a reader, waits for the hour that the clock lost. shifted_clock.so gives the server's processes another clock."""
import mmap
import os
import pathlib
import sys

from tviews_server import Server, bash, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, expires_at timestamptz NOT NULL);
CREATE INDEX ON tb_offer (expires_at);
CREATE TABLE tv_offer WITH (pg_tviews.feed = 'keys') AS SELECT tb_offer.pk_offer, expires_at FROM tb_offer WHERE expires_at > now();
"""
FINDING = "SELECT count(*) FROM pg_tviews_health_check() WHERE message LIKE 'The clock of the server has been set back%'"

build = pathlib.Path(sys.argv[1]).resolve()
stage = bash('server_place "$1"', build / "stage")
program, shift = build / "server-clock_set_back.program", build / "server-clock_set_back.shift"
shift.write_bytes(bytes(8))
program.write_text(f"""#!/bin/sh
LD_PRELOAD={build}/shifted_clock.so SHIFTED_CLOCK={shift} exec {bash('stage_bin "$1"', stage)}/postgres "$@"
""")
program.chmod(0o755)
os.environ["SERVER_PROGRAM"] = str(program)
shift_page = mmap.mmap(os.open(shift, os.O_RDWR), 8)


def set_clock(hours):
    shift_page[:] = (3600 * hours).to_bytes(8, sys.byteorder, signed=True)


def offers():
    return [row[0] for row in run(session, "SELECT pk_offer FROM tv_offer ORDER BY 1")]


def clock():
    return value(session, "SELECT clock FROM pg_tview_frontier")


def check_equal():
    """By the frontier's time: the view itself would show the clock's."""
    run(session, "SELECT pg_tviews_wait()")
    assert run(session, "SELECT * FROM pg_tviews_verify('offer')") == []


with Server("clock_set_back") as server:
    session = server.prepare("clock", SCRIPT)
    run(session, """INSERT INTO tb_offer SELECT i, clock_timestamp() + i * interval '20 ms' FROM generate_series(1, 20) AS i;
                    INSERT INTO tb_offer VALUES (100, clock_timestamp() + '30 minutes'), (200, clock_timestamp() + '1 day')""")
    wait_until(lambda: offers() == [100, 200], "twenty offers to expire")
    before = clock()

    set_clock(-1)
    assert value(session, "SELECT clock_timestamp() < %s", (before,)), "the clock is the system's"
    run(session, "INSERT INTO tb_offer VALUES (300, clock_timestamp() + '3 hours'), (301, clock_timestamp() + '1 minute')")
    run(session, "SET pg_tviews.read_consistency = 'strict'")
    assert offers() == [100, 200, 300] and clock() >= before  # 301 expired, by the frontier's time, before it came
    check_equal()
    assert value(session, FINDING) == 1
    server.kill()
    set_clock(0)  # pg_ctl waits for a server that began after itself
    server.start()
    set_clock(-1)
    session = server.connect("clock")
    assert offers() == [100, 200, 300] and clock() >= before
    check_equal()

    set_clock(0)
    run(session, "INSERT INTO tb_offer VALUES (400, clock_timestamp() + '300 ms')")
    wait_until(lambda: offers() == [100, 200, 300], "an offer to expire by the clock that is right again")
    wait_until(lambda: value(session, FINDING) == 0, "the finding to be gone")
    set_clock(1)
    run(session, "INSERT INTO tb_offer VALUES (500, clock_timestamp() + '1 day')")
    wait_until(lambda: offers() == [200, 300, 500], "what expires in a lost hour to expire")
    set_clock(0)
    run(session, "UPDATE tb_offer SET expires_at = clock_timestamp() + '1 minute' WHERE pk_offer = 100")
    assert offers() == [200, 300, 500]  # its moment is before the frontier's time
    check_equal()
    went = run(session, "SELECT key, count(*) FROM pg_tviews_feed WHERE operation = 'delete' GROUP BY 1 HAVING count(*) > 1")
    assert went == [], went
