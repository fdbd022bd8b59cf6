"""The auditor: rows that somebody spoiled are found and repaired without anybody asking, and it is told."""
from tviews_server import Server, check_equal, differences, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_maker (pk_maker int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_lamp (pk_lamp int PRIMARY KEY, fk_maker int NOT NULL, watts int NOT NULL);
CREATE INDEX tb_lamp_maker ON tb_lamp (fk_maker);
INSERT INTO tb_maker SELECT i, 'maker ' || i FROM generate_series(1, 10) AS i;
INSERT INTO tb_lamp SELECT i, i % 10 + 1, i FROM generate_series(1, 1000) AS i;
CREATE TABLE tv_lamp AS
SELECT tb_lamp.pk_lamp, tb_maker.name, 1000 / tb_lamp.watts AS share
FROM tb_lamp JOIN tb_maker ON tb_maker.pk_maker = tb_lamp.fk_maker;
CREATE TABLE tv_lamp_of_lamp AS SELECT tv_lamp.pk_lamp, tv_lamp.name || '!' AS name FROM tv_lamp;
CREATE TABLE tv_name WITH (pg_tviews.key = 'name') AS SELECT tb_maker.name, count(*) AS makers FROM tb_maker GROUP BY tb_maker.name;
CREATE TABLE tb_size (num numeric PRIMARY KEY, parts int NOT NULL);
INSERT INTO tb_size VALUES (1.0, 1), (2.0, 2);
CREATE TABLE tv_size AS SELECT num AS pk_size, 10 / parts AS share FROM tb_size;
CREATE TABLE tb_dice (pk_dice int PRIMARY KEY);
INSERT INTO tb_dice SELECT generate_series(1, 20);
CREATE TABLE tv_moment AS SELECT tb_maker.pk_maker, obj_description('tb_maker'::regclass) AS moment FROM tb_maker;
"""


def set_rate(rate):
    run(connection, f"ALTER SYSTEM SET pg_tviews.audit_rate = {rate}")
    run(connection, "SELECT pg_reload_conf()")


def spoil(*statements):
    """As nobody should: without capture and against protection."""
    run(connection, "SET pg_tviews.protect = off")
    for statement in statements:
        run(connection, statement)
    run(connection, "RESET pg_tviews.protect")


def status(entity, column):
    return value(connection, f"SELECT {column} FROM pg_tviews_audit_status WHERE entity = %s", (entity,))


def finding():
    return run(connection, "SELECT severity, message FROM pg_tviews_health_check() WHERE component = 'audit'")


def whole_round():
    """Every audited TVIEW is compared from its beginning to its end."""
    before = dict(run(connection, "SELECT entity, rounds FROM pg_tviews_audit_status WHERE is_audited"))
    wait_until(lambda: all(rounds >= before.get(entity, 0) + 2 for entity, rounds in run(
        connection, "SELECT entity, rounds FROM pg_tviews_audit_status WHERE is_audited")), "two rounds")


def check_healing():
    whole_round()
    for entity in ("lamp", "lamp_of_lamp", "name"):
        assert status(entity, "differences") == 0 and status(entity, "last_difference") is None, entity
    assert status("lamp", "keys_checked") >= 2000
    batches = value(connection, "SELECT sum(batches) FROM pg_tviews_slots()")
    summary = run(connection, "SELECT * FROM pg_tviews_performance_summary ORDER BY entity")
    frontier = run(connection, "SELECT ctid, xmin FROM pg_tview_frontier")
    whole_round()
    # Nothing to repair: no batch, no refresh, nothing written.
    assert value(connection, "SELECT sum(batches) FROM pg_tviews_slots()") == batches
    assert run(connection, "SELECT * FROM pg_tviews_performance_summary ORDER BY entity") == summary
    assert run(connection, "SELECT ctid, xmin FROM pg_tview_frontier") == frontier
    assert finding()[0][0] == "info", finding()

    spoil("UPDATE tv_lamp SET share = -1 WHERE pk_lamp IN (77, 950)",       # changed
          "DELETE FROM tv_lamp WHERE pk_lamp = 500 OR pk_lamp = 1",         # missing
          "INSERT INTO tv_lamp VALUES (0, 'extra', 0), (5000, 'extra', 0)", # extra, at both ends
          "UPDATE tv_name SET makers = 7 WHERE name = 'maker 3'")
    wait_until(lambda: not wrong(), "the audit to repair")
    wait_until(lambda: status("lamp", "differences") == 6 and status("name", "differences") == 1, "counters")
    check_equal_but_moment()
    severity, message = finding()[0]
    messages = [m for _, m in finding()]
    assert severity == "warning" and any("6 rows of TVIEW lamp" in m and "pg_tviews_refresh('lamp')" in m for m in messages)
    log = server.log()
    assert "WARNING:  the audit found and repaired" in log and "changed" in log
    # Seen, and begun again.
    run(connection, "SELECT pg_tviews_stats_reset()")
    assert finding()[0][0] == "info"


def wrong():
    found = differences(connection)
    found.pop("tv_moment", None)
    return found


def check_equal_but_moment():
    run(connection, "SELECT pg_tviews_wait()")
    assert not wrong(), wrong()


def check_off():
    set_rate(0)
    wait_until(lambda: value(connection, "SELECT current_setting('pg_tviews.audit_rate')") == "0", "reload")
    # The applier has taken in the setting when it has applied what was committed after it.
    run(connection, "UPDATE tb_maker SET name = name || '.' WHERE pk_maker = 1")
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "SELECT pg_tviews_stats_reset()")
    spoil("UPDATE tv_lamp SET share = -1 WHERE pk_lamp = 77")
    for i in range(20):
        run(connection, "UPDATE tb_maker SET name = name || '.' WHERE pk_maker = 2")
        run(connection, "SELECT pg_tviews_wait()")
    assert wrong().keys() == {"tv_lamp"} and status("lamp", "keys_checked") == 0
    assert "audit_rate is 0" in finding()[0][1]
    set_rate(2000)
    wait_until(lambda: not wrong(), "the audit to repair")


def check_undetermined():
    """Its rows differ from its query at any time: that is no difference."""
    assert not status("moment", "is_audited") and status("moment", "keys_checked") == 0
    run(connection, "COMMENT ON TABLE tb_maker IS 'another moment'")
    assert "tv_moment" in differences(connection)
    assert not any("moment" in message for _, message in finding())
    # One that an older version has made does not say so, until its query is replaced.
    run(connection, "BEGIN; UPDATE pg_tview_meta SET options = options - 'undetermined' WHERE entity = 'moment'")
    assert status("moment", "is_audited")
    run(connection, "SELECT pg_tviews_replace(tview::text, definition) FROM pg_tview_meta WHERE entity = 'moment'")
    assert not status("moment", "is_audited")
    run(connection, "COMMIT")


def check_under_writes():
    """Never a false alarm, whatever is written meanwhile."""
    run(connection, "SELECT pg_tviews_stats_reset()")
    for i in range(200):
        run(connection, "UPDATE tb_lamp SET watts = watts + 1, fk_maker = fk_maker %% 10 + 1 WHERE pk_lamp %% 50 = %s", (i % 50,))
        run(connection, "INSERT INTO tb_lamp VALUES (%s, 1, 1)", (2000 + i,))
        run(connection, "DELETE FROM tb_lamp WHERE pk_lamp = %s", (i + 1,))
    whole_round()
    check_equal_but_moment()
    assert value(connection, "SELECT sum(differences) FROM pg_tviews_audit_status") == 0


def check_quarantine():
    """Keys whose document cannot be computed are left to quarantine."""
    run(connection, "UPDATE tb_lamp SET watts = 0 WHERE pk_lamp = 777")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 1, "quarantine")
    attempts = value(connection, "SELECT attempts FROM pg_tview_dead_letter")
    whole_round()
    assert value(connection, "SELECT attempts FROM pg_tview_dead_letter") == attempts
    run(connection, "UPDATE tb_lamp SET watts = 5 WHERE pk_lamp = 777")
    run(connection, "SELECT pg_tviews_wait()")
    # Also where it stands in the TVIEW in another form than in the query.
    run(connection, "UPDATE tb_size SET num = 1.00, parts = 0 WHERE num = 1")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 1, "quarantine")
    sick = run(connection, "SELECT key, attempts FROM pg_tview_dead_letter")
    whole_round()
    assert run(connection, "SELECT key, attempts FROM pg_tview_dead_letter") == sick
    run(connection, "UPDATE tb_size SET parts = 3 WHERE num = 1")
    check_equal_but_moment()


def check_expensive():
    """A TVIEW that cannot be compared in small steps is named, instead of counting as compared."""
    run(connection, """
        CREATE FUNCTION slowly(pk int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_catalog.pg_sleep(0.03); RETURN pk; END $$;
        CREATE TABLE tv_slow AS SELECT tb_maker.pk_maker AS pk_slow, slowly(tb_maker.pk_maker) FROM tb_maker""")
    wait_until(lambda: any("TVIEW slow is not audited in fact" in message and "pg_tviews_verify('slow')" in message
                           for severity, message in finding() if severity == "info"), "the finding")
    assert not any(severity == "warning" for severity, _ in finding()), finding()


def check_lies():
    """A definition that gives the same rows different results is found out, and left alone: no repairs for ever."""
    run(connection, """
        CREATE FUNCTION thrown(pk int) RETURNS double precision IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN RETURN random() + pk; END $$;
        CREATE TABLE tv_dice AS SELECT pk_dice, thrown(pk_dice) AS thrown FROM tb_dice""")
    wait_until(lambda: status("dice", "differs_again"), "the audit to find the same rows differing again")
    assert not status("dice", "is_audited")
    repaired = status("dice", "differences")
    assert repaired <= 2 * 20 + 20, repaired
    whole_round()
    assert status("dice", "differences") == repaired
    messages = [message for _, message in finding() if "dice" in message]
    assert len(messages) == 1 and "definition gives the same rows different results" in messages[0], messages
    # Others go on, and it is audited again where somebody asks for that.
    assert status("lamp", "is_audited")
    run(connection, "SELECT pg_tviews_stats_reset('dice')")
    wait_until(lambda: status("dice", "differs_again"), "the same again")
    run(connection, "DROP TABLE tv_dice")
    run(connection, "SELECT pg_tviews_stats_reset()")


def check_group_states():
    """A state that is wrong is found though no row shows it; what was computed of it is compared, and the state is built anew."""
    run(connection, """
        CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, fk_owner uuid, weight numeric NOT NULL);
        INSERT INTO tb_tag SELECT i, nullif(md5((i % 50)::text), md5('7'))::uuid, i / 4.0 FROM generate_series(1, 6000) AS i;
        CREATE INDEX ON tb_tag (fk_owner);
        CREATE TABLE tv_owner WITH (pg_tviews.key = 'fk_owner', pg_tviews.group_state = on) AS
        SELECT fk_owner, count(*) > 5 AS many, sum(weight) AS weight FROM tb_tag WHERE fk_owner IS NOT NULL GROUP BY fk_owner;
        CREATE TABLE tv_weight WITH (pg_tviews.group_state = on) AS SELECT 1 AS pk_weight, sum(weight) AS weight FROM tb_tag""")

    def is_built(entity):
        run(connection, "UPDATE tb_tag SET weight = weight + 1, fk_owner = md5((pk_tag % 50 + 1)::text)::uuid WHERE pk_tag % 1000 = 1")
        run(connection, "SELECT pg_tviews_wait()")
        return value(connection, "SELECT is_valid FROM pg_tviews_group_states WHERE entity = %s", (entity,))
    for entity in ("owner", "weight"):
        wait_until(lambda entity=entity: is_built(entity), f"the state of {entity}")
    whole_round()
    assert status("owner", "differences") == 0 and status("weight", "differences") == 0
    state = "WHERE state = (SELECT id FROM tviews_internal.pg_tview_group_state WHERE tview = 'tv_owner'::regclass)"
    one = f"{state} AND k = (SELECT k FROM tviews_internal.pg_tview_groups_uuid {state} ORDER BY k OFFSET %s LIMIT 1)"
    for spoil_it in ("UPDATE tviews_internal.pg_tview_groups_uuid SET n = n + 10 " + one % 0,
                     "DELETE FROM tviews_internal.pg_tview_groups_uuid " + one % 49,
                     "INSERT INTO tviews_internal.pg_tview_groups_uuid SELECT state, 'ffffffff-ffff-ffff-ffff-ffffffffffff', c, n, p"
                     f" FROM tviews_internal.pg_tview_groups_uuid {state} LIMIT 1"):
        wait_until(lambda: is_built("owner"), "the state")
        run(connection, "SELECT pg_tviews_stats_reset('owner')")
        run(connection, spoil_it)
        wait_until(lambda: status("owner", "differences") > 0, "the audit to find the state")
        wait_until(lambda: not run(connection, "SELECT key FROM pg_tviews_verify('owner')"), "the state to be forgotten")
    # What was computed of it already is compared without anybody asking.
    wait_until(lambda: is_built("weight"), "the state")
    run(connection, "UPDATE tviews_internal.pg_tview_groups_int4 SET p[2] = p[2] + 1000 WHERE state ="
                    " (SELECT id FROM tviews_internal.pg_tview_group_state WHERE tview = 'tv_weight'::regclass)")
    run(connection, "UPDATE tb_tag SET weight = weight + 1 WHERE pk_tag = 5")
    wait_until(lambda: not wrong() and not run(connection, "SELECT key FROM pg_tviews_verify('weight')"), "the repair")
    log = server.log()
    assert "of group state" in log and "that differed from its source: the state is built anew" in log
    assert any(severity == "warning" and "owner" in message for severity, message in finding()), finding()
    run(connection, "DROP TABLE tv_owner, tv_weight")
    run(connection, "SELECT pg_tviews_stats_reset()")


with Server("audit", "pg_tviews.audit_rate = 2000\n") as server:
    connection = server.prepare("audited", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    check_healing()
    check_lies()
    check_undetermined()
    check_off()
    check_under_writes()
    check_quarantine()
    # The others go, so that the turn of what follows comes soon: the auditor rests long after a slow step.
    run(connection, "DROP TABLE tv_lamp_of_lamp, tv_lamp, tv_name, tv_moment")
    check_group_states()
    check_expensive()
