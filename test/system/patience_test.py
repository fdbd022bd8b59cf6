"""A definition that raises what looks like a passing error, for ever: after some repetitions its keys go into
quarantine and the others go on (its errors stop nobody); and a passing error really passes."""
# Runs first: it takes long.
import time

from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, code text);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, name text);
CREATE SEQUENCE tries;
CREATE FUNCTION picky(code text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF code ~ '^[0-9]' THEN RAISE EXCEPTION 'no %', code USING errcode = code; END IF;
  RETURN code;
END $$;
INSERT INTO tb_a SELECT i, 'fine' FROM generate_series(1, 20) AS i;
INSERT INTO tb_b SELECT i, 'b' FROM generate_series(1, 5) AS i;
CREATE TABLE tv_picky WITH (pg_tviews.function_reads = 'none') AS SELECT pk_a AS pk_picky, picky(code) AS code FROM tb_a;
CREATE TABLE tv_other AS SELECT pk_b AS pk_other, name FROM tb_b;
CREATE TABLE tv_all WITH (pg_tviews.function_reads = 'none') AS SELECT 1 AS pk_all, count(picky(code)) AS n FROM tb_a;
"""


def letters(tview):
    return run(connection, "SELECT key, sqlstate FROM pg_tview_dead_letter WHERE tview = %s::regclass ORDER BY key", (tview,))


# In one snapshot: what the others show, and how many keys are in quarantine.
OTHER = "SELECT name, (SELECT count(*) FROM pg_tview_dead_letter) FROM tv_other LIMIT 1"


with Server("patience") as server:
    connection = server.prepare("patience", SCRIPT)
    reader = server.connect("patience")
    run(reader, "SET pg_tviews.read_consistency = eventual")
    check_equal(connection)
    for code in ("40001", "57014", "40P01", "72000"):
        run(connection, "UPDATE tb_a SET code = CASE pk_a WHEN 7 THEN %s ELSE 'good' END", (code,))
        run(connection, "UPDATE tb_b SET name = %s", (code,))
        began = time.monotonic()
        # The others go on while it is tried again and again, on its own.
        other, in_quarantine = wait_until(lambda: [row for row in run(reader, OTHER) if row[0] == code], f"tv_other beside {code}")[0]
        print(f"note: {code}: the others after {time.monotonic() - began:.1f} s")
        assert in_quarantine == 0, "tv_other has waited until the failing keys were in quarantine"
        assert value(reader, "SELECT count(*) FROM tv_picky WHERE code = 'good'") == 0, "half of a transaction is shown"
        run(connection, "SELECT pg_tviews_wait('50 s')")
        assert letters("tv_picky") == [("7", code)], letters("tv_picky")
        assert letters("tv_all") == [("1", code)], letters("tv_all")
        assert value(connection, "SELECT count(*) FROM tv_picky WHERE code = 'good'") == 19
        assert value(connection, "SELECT count(*) FROM ((TABLE tv_other EXCEPT TABLE v_other) UNION (TABLE v_other EXCEPT TABLE tv_other)) AS d") == 0
        print(f"note: {code} took {time.monotonic() - began:.1f} s")
        # Once known, it costs little more.
        began = time.monotonic()
        run(connection, "UPDATE tb_a SET code = code WHERE pk_a = 7; UPDATE tb_a SET code = %s WHERE pk_a IN (7, 8)", (code,))
        run(connection, "SELECT pg_tviews_wait('50 s')")
        assert letters("tv_picky") == [("7", code), ("8", code)], letters("tv_picky")
        print(f"note: again {time.monotonic() - began:.1f} s")
        # It heals like every other.
        run(connection, "UPDATE tb_a SET code = 'healed'")
        check_equal(connection, f"after {code}")
        assert letters("tv_picky") == letters("tv_all") == []

    # What passes in time is no error of the data.
    run(connection, """CREATE OR REPLACE FUNCTION picky(code text) RETURNS text LANGUAGE plpgsql STABLE AS $$
        BEGIN
          IF code ~ '^slow' AND nextval('public.tries') < 5 THEN
            RAISE EXCEPTION 'not yet' USING errcode = split_part(code, ' ', 2);
          END IF;
          RETURN code;
        END $$""")
    for code in ("40001", "40P01", "53100", "55P03", "57014", "58030", "72000"):
        run(connection, "SELECT setval('tries', 1)")
        run(connection, "UPDATE tb_a SET code = 'slow ' || %s WHERE pk_a = 3", (code,))
        run(connection, "SELECT pg_tviews_wait('50 s')")
        assert letters("tv_picky") == letters("tv_all") == [], f"{code} counts as an error of the data"
        assert value(connection, "SELECT last_value FROM tries") >= 5, code
        check_equal(connection, f"a passing {code}")
