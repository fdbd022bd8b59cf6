"""One definition that stalls stops nobody: whatever it does, its TVIEW is left behind, the others go on within seconds, it
is visible why, and the TVIEW catches up once the cause is gone.

Danger: all TVIEWs of a database are refreshed by one process. A definition that loops, sleeps, needs all memory, waits for
its own refresh, raises what looks like a passing error, or swallows the cancel that ends all this, would hold up every other one."""
import time

import psycopg2

from tviews_server import Server, check_equal, run, value, wait_until

# What the function does, and what pg_tview_behind says of it.
STALLS = {
    "an endless loop": ("BEGIN LOOP END LOOP; END", "refresh_timeout"),
    "a long sleep": ("BEGIN PERFORM pg_sleep(3600); END", "refresh_timeout"),
    "a loop that swallows cancels": (
        "BEGIN LOOP BEGIN PERFORM pg_sleep(0.01); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END",
        "did not end when it was cancelled"),
    "memory without end": (
        "DECLARE a text[]; BEGIN FOR i IN 1..1000 LOOP a[i] := repeat('x', 2000000); END LOOP; END", "out of memory"),
    "an endless result": ("BEGIN PERFORM count(*) FROM generate_series(1, 100000000000); END", "refresh_timeout"),
    "lack of memory, raised": ("BEGIN RAISE EXCEPTION 'no' USING errcode = '53200'; END", "its refresh fails: no"),
    "a full disk, raised": ("BEGIN RAISE EXCEPTION 'no' USING errcode = '53100'; END", "its refresh fails: no"),
}
# These fail at once, and for good: they are the definition's errors.
WAITS = ["PERFORM public.pg_tviews_wait()", "PERFORM public.pg_tviews_refresh('bad')", "PERFORM public.pg_tviews_pause()",
         "PERFORM public.pg_tviews_wait_for('1000'::xid8)"]

SCRIPT = """
CREATE TABLE tb_bad (pk_bad int PRIMARY KEY, n int NOT NULL);
CREATE TABLE tb_good (pk_good int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_bad VALUES (1, 0), (2, 0);
INSERT INTO tb_good VALUES (1, 0);
CREATE TABLE mood (name text);
INSERT INTO mood VALUES ('');
CREATE FUNCTION moody(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$
DECLARE
  mood text := (SELECT mood.name FROM public.mood);
BEGIN
  IF n <= 0 THEN RETURN n; END IF;
%s
  RETURN n;
END $$;
CREATE TABLE tv_bad WITH (pg_tviews.function_reads = 'none') AS SELECT pk_bad, moody(n) AS n FROM tb_bad;
CREATE TABLE tv_over AS SELECT pk_bad AS pk_over, n + 1 AS n FROM tv_bad;
CREATE TABLE tv_good AS SELECT pk_good, n FROM tb_good;
""" % "\n".join(f"  IF mood = $m${mood}$m$ THEN {body}; END IF;" for mood, body in
               [(what, body) for what, (body, _) in STALLS.items()] + [(call, call) for call in WAITS])

BEHIND = "SELECT reason, retry_at > now() FROM pg_tview_behind WHERE tview = 'tv_bad'::regclass"


def applier():
    return wait_until(lambda: run(reader, "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'stalls'"),
                      "an applier")[0][0]


def change(number):
    run(connection, f"BEGIN; UPDATE tb_bad SET n = {number}; UPDATE tb_good SET n = {number}; COMMIT")


def good(number):
    return value(reader, "SELECT n FROM tv_good") == number


def set_mood(name):
    run(connection, "UPDATE mood SET name = %s", (name,))


def check_recovers(number, what):
    set_mood("")
    run(connection, "SELECT pg_tviews_retry('bad')")
    wait_until(lambda: not run(reader, "SELECT 1 FROM pg_tview_behind"), f"everything to catch up after {what}", 90)
    assert value(reader, "SELECT count(*) FROM tv_over WHERE n = %s", (number + 1,)) == 2, what
    check_equal(connection, f"after {what}")


def check_stall(number, what, reason):
    set_mood(what)
    began = time.monotonic()
    change(number)
    wait_until(lambda: good(number), f"tv_good beside {what}", 30)
    took = time.monotonic() - began
    print(f"note: {what}: the others after {took:.1f} s")
    found, is_given_up = wait_until(lambda: run(reader, BEHIND), f"tv_bad to be left behind for {what}")[0]
    assert reason in found, f"{what}: {found}"
    assert value(reader, "SELECT count(*) FROM pg_tview_behind WHERE tview = 'tv_over'::regclass") == 1
    assert value(reader, "SELECT count(*) FROM tv_bad WHERE n = %s", (number,)) == 0, "half of a transaction is shown"
    # Others are as quick as ever, and nobody waits for it. A shortage may pass: that is waited for.
    began = time.monotonic()
    run(connection, f"UPDATE tb_good SET n = -{number}")
    if is_given_up:
        run(connection, "SELECT pg_tviews_wait('20 s')")
        assert any("TVIEW" in notice and "left behind" in notice for notice in connection.notices), connection.notices
        del connection.notices[:]
    else:
        assert "its refresh fails" in found, found
    wait_until(lambda: good(-number), f"tv_good to go on beside {what}", 10)
    findings = run(reader, "SELECT message FROM pg_tviews_health_check(patience => '0') WHERE component = 'queue and lag' AND severity = 'warning'")
    assert any("tv_bad" in message for message, in findings), findings
    # Who asks for it is told so, and does not wait.
    try:
        run(connection, "SELECT pg_tviews_refresh('bad')")
        raise AssertionError(f"{what}: a refresh succeeded")
    except psycopg2.Error as error:
        assert error.pgcode[:2] in ("57", "53", "08"), error
    check_recovers(number, what)


with Server("definition_stalls", "pg_tviews.refresh_timeout = 2s\npg_tviews.refresh_memory = 48MB\npg_tviews.audit_rate = 0\n") as server:
    connection = server.prepare("stalls", SCRIPT)
    reader = server.connect("stalls")
    run(reader, "SET pg_tviews.read_consistency = eventual")
    check_equal(connection)
    number = 1
    for what, (_, reason) in STALLS.items():
        number += 1
        check_stall(number, what, reason)

    for call in WAITS:
        number += 1
        set_mood(call)
        began = time.monotonic()
        change(number)
        wait_until(lambda: good(number), f"tv_good beside {call}", 20)
        wait_until(lambda: run(reader, "SELECT 1 FROM pg_tview_dead_letter WHERE tview = 'tv_bad'::regclass"),
                   f"{call} to fail in a refresh")
        check_recovers(number, call)

    # One cancel is enough, and is no time limit. The limit of the TVIEW itself is longer than the setting's.
    run(connection, "ALTER TABLE tv_bad SET (pg_tviews.refresh_timeout = '10min')")
    number += 1
    set_mood("a long sleep")
    change(number)
    wait_until(lambda: value(reader, "SELECT count(*) FROM pg_tviews_progress WHERE entity = 'bad' AND clock_timestamp() > started_at + interval '3 s'"),
               "the refresh to take longer than the setting allows")
    assert not good(number)
    run(reader, "SELECT pg_cancel_backend(%s)", (applier(),))
    wait_until(lambda: good(number), "tv_good after a cancel", 10)
    assert run(reader, BEHIND) == [("its refresh was cancelled", True)]
    # The pause outlives the applier.
    before = value(reader, "SELECT retry_at FROM pg_tview_behind WHERE tview = 'tv_bad'::regclass")
    run(reader, "SELECT pg_terminate_backend(%s)", (applier(),))
    run(connection, "UPDATE tb_good SET n = 0")
    run(connection, "SELECT pg_tviews_wait('20 s')")
    assert value(reader, "SELECT retry_at FROM pg_tview_behind WHERE tview = 'tv_bad'::regclass") == before
    check_recovers(number, "a cancel")
    # Who needs a lock behind it does not wait for it to be patient.
    number += 1
    set_mood("a loop that swallows cancels")
    change(number)
    wait_until(lambda: value(reader, "SELECT count(*) FROM pg_tviews_progress WHERE entity = 'bad'"), "the refresh to begin")
    began = time.monotonic()
    run(connection, "ALTER TABLE tb_bad ADD COLUMN unread int")
    took = time.monotonic() - began
    print(f"note: ALTER TABLE behind a loop that swallows cancels: {took:.1f} s")
    assert took < 4, took
    wait_until(lambda: good(number), "tv_good after it", 10)
    check_recovers(number, "a loop that swallows cancels")
    for wrong in ("-1", "soon"):
        try:
            run(connection, f"ALTER TABLE tv_bad SET (pg_tviews.refresh_timeout = '{wrong}')")
            raise AssertionError(f"{wrong} is no time")
        except psycopg2.Error as error:
            assert error.pgcode == "22023", error
    # Nor does who drops the database.
    set_mood("a loop that swallows cancels")
    change(number + 1)
    wait_until(lambda: value(reader, "SELECT count(*) FROM pg_tviews_progress WHERE entity = 'bad'"), "the refresh to begin")
    connection.close()
    reader.close()
    other = server.connect("postgres")
    began = time.monotonic()
    run(other, "DROP DATABASE stalls")
    took = time.monotonic() - began
    print(f"note: DROP DATABASE behind a loop that swallows cancels: {took:.1f} s")
    assert took < 4, took
