"""Another extension writes source tables in its own PRE_COMMIT callback, after the change record of
the transaction has been written: nothing is lost (ATTACKS A17)."""
import psycopg2

from tviews_server import Server, check_equal, install_module, run, value

install_module("late_writer")

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, fk_b int, name text);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, name text);
INSERT INTO tb_b SELECT i, 'b' FROM generate_series(1, 200) AS i;
INSERT INTO tb_a SELECT i, i, 'a' FROM generate_series(1, 200) AS i;
CREATE TABLE tv_a AS
SELECT tb_a.pk_a, jsonb_build_object('name', tb_a.name, 'b', tb_b.name) AS data
FROM tb_a JOIN tb_b ON tb_b.pk_b = tb_a.fk_b;
"""


def transaction(connection, late, *statements, end="COMMIT"):
    run(connection, "BEGIN")
    run(connection, "SELECT set_config('late_writer.sql', %s, true)", (late,))
    for statement in statements:
        run(connection, statement)
    run(connection, end)


def names():
    return value(connection, "SELECT count(*) FROM tv_a WHERE data ->> 'b' = %s", (expected,))


with Server("late_writes", "shared_preload_libraries = 'late_writer,pg_tviews'\n") as server:
    connection = server.prepare("late", SCRIPT)
    records = lambda: value(connection, "SELECT records FROM pg_tview_frontier")
    check_equal(connection, "at the start")

    expected = "after a change"
    before = records()
    transaction(connection, f"UPDATE tb_b SET name = '{expected}' WHERE pk_b <= 3",
                "UPDATE tb_a SET name = 'changed' WHERE pk_a = 1")
    check_equal(connection, expected)
    assert names() == 3
    assert records() == before + 4, (before, records())  # the transaction's, and one for each row

    expected = "the only change"
    transaction(connection, f"UPDATE tb_b SET name = '{expected}' WHERE pk_b = 3")
    check_equal(connection, expected)
    assert names() == 1

    # More late rows than records: the rest names the whole table.
    expected = "many rows"
    before = records()
    transaction(connection, f"UPDATE tb_b SET name = '{expected}'")
    check_equal(connection, expected)
    assert names() == 200
    assert records() <= before + 33, (before, records())

    expected = "prepared"
    transaction(connection, f"UPDATE tb_b SET name = '{expected}' WHERE pk_b = 5",
                "UPDATE tb_a SET name = 'changed' WHERE pk_a = 2", end="PREPARE TRANSACTION 'late'")
    run(connection, "COMMIT PREPARED 'late'")
    check_equal(connection, expected)
    assert names() == 1

    # A late write that fails takes everything back.
    failing = [("an error", "UPDATE tb_b SET name = 'never'; SELECT 1 / 0")]
    # An assertion of the server forbids any subtransaction that fails during a commit.
    if value(connection, "SHOW debug_assertions") == "off":
        failing.append(("a late subtransaction", """
                        DO $$ BEGIN UPDATE tb_b SET name = 'never';
                        EXCEPTION WHEN division_by_zero THEN NULL; END $$"""))
    for what, late in failing:
        try:
            transaction(connection, late, "UPDATE tb_a SET name = 'never'")
            raise AssertionError(f"{what}: committed")
        except psycopg2.Error as error:
            assert what == "an error" or "this late in a commit" in str(error), error
        run(connection, "ROLLBACK")
        check_equal(connection, what)
        assert value(connection, "SELECT count(*) FROM tv_a WHERE data::text LIKE '%never%'") == 0

    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 0
