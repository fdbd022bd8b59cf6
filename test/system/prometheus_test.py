"""monitoring/ with real programs: postgres_exporter gives every metric of the queries file the value that SQL
gives, Prometheus evaluates every expression of the dashboard to something, and each fault makes its alert pending."""
import json
import math
import re
import subprocess
import urllib.parse

from monitoring import MONITORING, get, monitoring
from tviews_server import Server, run, value, wait_until

SCRIPT = """
CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
CREATE TABLE tb_shelf (pk_shelf int PRIMARY KEY, boards int NOT NULL);
CREATE TABLE tv_shelf WITH (pg_tviews.feed = keys) AS SELECT tb_shelf.pk_shelf, 100 / tb_shelf.boards AS share FROM tb_shelf;
SELECT pg_tviews_feed_register('mail');
"""
LABELS = ("entity", "kind", "component", "consumer")


def declared():
    """{metric: (usage, its query's name)} of the queries file; labels are none."""
    found, query = {}, None
    for line in (MONITORING / "postgres_exporter_queries.yaml").read_text().splitlines():
        if match := re.fullmatch(r"(\w+):", line):
            query = match[1]
        elif match := re.match(r"    - (\w+): \{usage: (\w+),", line):
            if match[2] != "LABEL":
                found[f"{query}_{match[1]}"] = (match[2].lower(), query)
    return found


def scrape(port):
    """({(metric, label value): value}, {metric: type}) as the exporter gives them."""
    values, types = {}, {}
    for line in get(port, "/metrics").splitlines():
        if match := re.fullmatch(r"# TYPE (pg_tviews_\w+) (\w+)", line):
            types[match[1]] = match[2]
        elif match := re.fullmatch(r"(pg_tviews_\w+)\{(.*)\} (\S+)", line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2]))
            values[match[1], next((labels[name] for name in LABELS if name in labels), None)] = float(match[3])
    return values, types


def metric(port, name, label=None):
    return scrape(port)[0][name, label]


def query(port, expression):
    answer = json.loads(get(port, "/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
    return [sample for sample in answer["data"]["result"] if math.isfinite(float(sample["value"][1]))]


def pending(port, alert):
    alerts = json.loads(get(port, "/api/v1/alerts"))["data"]["alerts"]
    return [found for found in alerts if found["labels"]["alertname"] == alert]


def check_values(connection, exporter):
    run(connection, "INSERT INTO tb_shelf SELECT i, i FROM generate_series(1, 20) AS i")
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "UPDATE tb_shelf SET boards = 50 WHERE pk_shelf <= 3; DELETE FROM tb_shelf WHERE pk_shelf = 20")
    run(connection, "SELECT pg_tviews_wait(); SELECT pg_tviews_refresh('shelf'); SELECT pg_stat_force_next_flush()")
    run(connection, "UPDATE tb_shelf SET boards = 0 WHERE pk_shelf = 4")
    run(connection, "SELECT pg_tviews_wait()")
    values, types = scrape(exporter)
    for name, (usage, _) in declared().items():
        assert types.get(name) == usage, (name, usage, types.get(name))
    names = {name for name, _ in values}
    assert names == set(declared()), names ^ set(declared())
    broken = {key: found for key, found in values.items() if not math.isfinite(found)}
    assert not broken, broken

    expected = run(connection, """
        SELECT total_refreshes, keys, rows_inserted, rows_updated, rows_deleted, rows_unchanged, full_refreshes, errors,
               avg_refresh_ms / 1000, p95_refresh_ms / 1000, p99_refresh_ms / 1000, p95_lag_ms / 1000, p99_lag_ms / 1000
        FROM pg_tviews_performance_summary WHERE entity = 'shelf'""")[0]
    names = ("total", "keys", "rows_inserted", "rows_updated", "rows_deleted", "rows_unchanged", "full_refreshes", "errors",
             "avg_seconds", "p95_seconds", "p99_seconds", "lag_p95_seconds", "lag_p99_seconds")
    for name, wanted in zip(names, expected):
        found = values[f"pg_tviews_refresh_{name}", "shelf"]
        assert wanted > 0 or name == "rows_unchanged", (name, wanted)
        assert math.isclose(found, wanted), (name, found, wanted)
    assert 0 <= values["pg_tviews_refresh_hot_share", "shelf"] <= 1
    assert expected[2:5] == (20, 3, 1) and expected[7] == 1, expected

    counters = ("batches", "retries", "outbox_scans", "restarts")
    worker = run(connection, f"SELECT {', '.join(counters)} FROM pg_tviews_workers WHERE database = current_database()")[0]
    assert tuple(values[f"pg_tviews_worker_{name}", "applier"] for name in counters) == worker, (values, worker)
    assert [values["pg_tviews_worker_running", kind] for kind in ("applier", "launcher")] == [1, 1]
    health = dict(run(connection, "SELECT component, count(*) FILTER (WHERE severity = 'warning') FROM pg_tviews_health_check() GROUP BY 1"))
    assert {label: found for (name, label), found in values.items() if name == "pg_tviews_health_warnings"} == health, health
    assert health["quarantine"] == 1, health
    behind = value(connection, "SELECT changes_behind FROM pg_tviews_feed_consumers WHERE consumer = 'mail'")
    assert values["pg_tviews_feed_consumer_changes_behind", "mail"] == behind > 20, behind
    assert values["pg_tviews_feed_consumer_lag_seconds", "mail"] > 0 == values["pg_tviews_feed_consumer_has_missed", "mail"], values


def check_dashboard(prometheus):
    dashboard = json.loads((MONITORING / "grafana_dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) >= 12, expressions
    for expression in expressions:
        for name in re.findall(r"pg_tviews_\w+", expression):
            assert name in declared(), f"the dashboard has {name}, the exporter does not"
        # rate() needs two samples.
        wait_until(lambda: query(prometheus, expression.replace("5m", "10s")), expression)


def check_faults(connection, exporter, prometheus):
    assert wait_until(lambda: pending(prometheus, "TviewsQuarantine"), "TviewsQuarantine")
    assert not pending(prometheus, "TviewsSpill"), pending(prometheus, "TviewsSpill")
    run(connection, "SELECT pg_tviews_pause()")
    for boards in range(1, 301):
        run(connection, "UPDATE tb_shelf SET boards = %s WHERE pk_shelf IN (5, 6)", (boards,))
    states = dict(run(connection, "SELECT state, count(*) FROM pg_tviews_queue_realtime GROUP BY state"))
    assert states.keys() == {"waiting", "spilled"}, states
    found = [metric(exporter, f"pg_tviews_queue_{state}") for state in ("waiting", "spilled")]
    assert found == [states["waiting"], states["spilled"]], (found, states)
    first = metric(exporter, "pg_tviews_queue_oldest_seconds")
    assert 0 < first < metric(exporter, "pg_tviews_queue_oldest_seconds"), first
    assert wait_until(lambda: pending(prometheus, "TviewsSpill"), "TviewsSpill")
    writer = server.connect("shelves", autocommit=False)
    run(writer, "UPDATE tb_shelf SET boards = 1 WHERE pk_shelf = 7")
    assert metric(exporter, "pg_tviews_queue_collecting") == 1
    writer.rollback()
    run(connection, "SELECT pg_tviews_resume(); SELECT pg_tviews_wait()")
    wait_until(lambda: not pending(prometheus, "TviewsSpill"), "no TviewsSpill")
    assert [metric(exporter, f"pg_tviews_queue_{name}") for name in ("collecting", "waiting", "spilled", "oldest_seconds")] == [0] * 4

    run(connection, "UPDATE pg_trigger SET tgenabled = 'D' WHERE tgname = 'pg_tviews_capture'")
    assert wait_until(lambda: pending(prometheus, "TviewsUnwell"), "TviewsUnwell")
    run(connection, "SELECT pg_tviews_reinstall_triggers()")
    for kind in ("applier", "launcher"):
        run(connection, "ALTER SYSTEM SET pg_tviews.enabled = off")
        run(connection, "SELECT pg_reload_conf()")
        pid = value(connection, "SELECT pid FROM pg_tviews_workers WHERE kind = %s AND pid IS NOT NULL", (kind,))
        run(connection, "SELECT pg_terminate_backend(%s, 10000)", (pid,))
        wait_until(lambda: metric(exporter, "pg_tviews_worker_running", kind) == 0, f"no {kind}")


subprocess.run(["promtool", "check", "rules", MONITORING / "prometheus_rules.yaml"], check=True)
subprocess.run(["promtool", "test", "rules", MONITORING / "prometheus_rules_test.yaml"], check=True)
with Server("prometheus", conf="pg_tviews.queue_size = '8kB'\n") as server:
    connection = server.prepare("shelves", SCRIPT)
    with monitoring(server, "shelves", "watcher") as (exporter, prometheus):
        check_values(connection, exporter)
        check_dashboard(prometheus)
        check_faults(connection, exporter, prometheus)
