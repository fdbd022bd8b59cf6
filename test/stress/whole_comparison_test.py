"""What a comparison of a whole TVIEW costs against CREATE TABLE AS of the same query: a rank, which every change moves.

CPU time of the applier and of the session, taking turns; SCALE (default 0.05) is the share of 1,000,000 rows."""
import os
import statistics

from tviews_server import Server, check_equal, cpu_seconds, run, value

SCALE = float(os.environ.get("SCALE", 0.05))
ROWS = int(1000000 * SCALE)
QUERY = """SELECT pk_score, rank() OVER (ORDER BY points DESC) AS place,
       jsonb_build_object('name', name, 'points', points, 'rank', rank() OVER (ORDER BY points DESC)) AS data FROM tb_score"""

with Server("whole_comparison", "max_wal_size = 8GB\n") as server:
    session = server.prepare("ranks", f"""
        CREATE TABLE tb_score (pk_score int PRIMARY KEY, name text NOT NULL, points int NOT NULL);
        INSERT INTO tb_score SELECT i, 'player ' || i, i * 7919::bigint % 1000003 FROM generate_series(1, {ROWS}) AS i;
        CREATE INDEX ON tb_score (points);
        CREATE TABLE tv_score AS {QUERY}""")
    run(session, "VACUUM ANALYZE tb_score, tv_score")
    mine = value(session, "SELECT pg_backend_pid()")
    applier = value(session, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier' AND datname = 'ranks'")
    ratios = []
    for number in range(3):
        before = cpu_seconds([mine])
        run(session, f"CREATE TABLE copy AS {QUERY}")
        by_hand = cpu_seconds([mine]) - before
        run(session, "DROP TABLE copy")
        before = cpu_seconds([applier])
        run(session, f"UPDATE tb_score SET points = points + 3 WHERE pk_score = {77 + number}")
        run(session, "SELECT pg_tviews_wait('10min')")
        refresh = cpu_seconds([applier]) - before
        ratios.append(refresh / max(by_hand, 0.01))
        print(f"CREATE TABLE AS {by_hand:.2f} s, comparison {refresh:.2f} s")
    print(f"note: {ROWS} rows compared with {statistics.median(ratios):.2f} of the CPU time of CREATE TABLE AS")
    check_equal(session)
