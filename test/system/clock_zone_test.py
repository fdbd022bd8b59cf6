"""Local time jumps, forth and back, in the time zone that definitions keep: in every statement TVIEWs show their queries at
the frontier's time, before, between and after the jumps. The zone is made for the test: its hour begins in three seconds."""
import datetime

from tviews_server import Server, run, value

SCRIPT = """
CREATE TABLE tb_tick (pk_tick int PRIMARY KEY, at timestamptz NOT NULL);
CREATE TABLE tb_local (pk_local int PRIMARY KEY, at timestamp NOT NULL);
CREATE TABLE tb_zoned (pk_zoned int PRIMARY KEY, at timestamptz NOT NULL);
CREATE INDEX ON tb_tick (at);
CREATE INDEX ON tb_local (at);
"""
TVIEWS = """
CREATE TABLE tv_tick AS SELECT pk_tick FROM tb_tick WHERE at > now();
CREATE TABLE tv_local AS SELECT pk_local, at < LOCALTIMESTAMP AS past, LOCALTIMESTAMP - at >= '30 minutes' AS older, at > now() AS ahead FROM tb_local;
CREATE TABLE tv_zoned AS SELECT pk_zoned, at + interval '1 day' <= now() AS day, at <= now() - interval '1 day' AS ago, now() - at >= '1 day' AS hours,
       at <= now() - interval '1 month 1 day' AS month FROM tb_zoned;
"""
AT = "(SELECT date_trunc('milliseconds', clock) FROM pg_tview_frontier)"
LOOK = f"""
SELECT (SELECT count(*) FROM tv_tick) = (SELECT count(*) FROM tb_tick WHERE at > {AT}),
       (SELECT array_agg((l.*)::text ORDER BY pk_local) FROM tv_local AS l) = (SELECT array_agg((pk_local, at < {AT}::timestamp, {AT}::timestamp - at >= '30 minutes', at > {AT})::text ORDER BY pk_local) FROM tb_local),
       (SELECT array_agg((z.*)::text ORDER BY pk_zoned) FROM tv_zoned AS z) = (SELECT array_agg((pk_zoned, at + interval '1 day' <= {AT}, at <= {AT} - interval '1 day', {AT} - at >= '1 day',
               at <= {AT} - interval '1 month 1 day')::text ORDER BY pk_zoned) FROM tb_zoned),
       {AT}, {AT}::timestamp
"""


def rule(moment):
    """The moment, of local time, within its year."""
    return f"{moment.timetuple().tm_yday - 1}/{moment:%H:%M:%S}"


with Server("clock_zone") as server:
    connection = server.prepare("zone", SCRIPT)
    now = value(connection, "SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'UTC')")
    forth, back = now + datetime.timedelta(seconds=4), now + datetime.timedelta(seconds=8)
    end = back + datetime.timedelta(seconds=2)
    zone = f"AAA0BBB,{rule(forth)},{rule(back + datetime.timedelta(hours=1))}"
    run(connection, f"SET TimeZone = '{zone}'")
    run(connection, TVIEWS)
    run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    run(connection, """INSERT INTO tb_tick SELECT i, %s::timestamp AT TIME ZONE 'UTC' + i * interval '50 ms' FROM generate_series(1, 240) AS i;
                       INSERT INTO tb_local SELECT i, %s + i * interval '100 ms' + i %% 3 * interval '30 minutes' FROM generate_series(1, 120) AS i;
                       INSERT INTO tb_zoned SELECT i, %s::timestamp AT TIME ZONE 'UTC' + i * interval '100 ms' - CASE i %% 4 WHEN 0 THEN '1 day' WHEN 1 THEN '23 hours' WHEN 2 THEN '25 hours' ELSE '1 month 1 day' END::interval
                       FROM generate_series(1, 120) AS i""", (now, now, now))
    run(connection, "SELECT pg_tviews_wait()")
    offsets, clock = [], None
    while clock is None or clock < end:
        tick, local, zoned, shown, local_time = run(connection, LOOK)[0]
        assert tick and local and zoned, (tick, local, zoned, shown, local_time)
        clock = shown.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        offset = round((local_time - clock).total_seconds())
        if not offsets or offsets[-1] != offset:
            offsets.append(offset)
    # A machine that was busy all the time of a jump has not seen it.
    print(f"note: offsets of local time that were seen: {offsets}")
    assert offsets[-1] == 0 and set(offsets) <= {0, 3600}, offsets
    for entity in ("tick", "local", "zoned"):
        assert run(connection, f"SELECT * FROM pg_tviews_verify('{entity}')") == []
