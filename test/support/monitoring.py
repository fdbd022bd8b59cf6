"""postgres_exporter and Prometheus with the files in monitoring/, over a server of the tests."""
import contextlib
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

from tviews_server import ROOT, wait_until

MONITORING = ROOT / "monitoring"
PROMETHEUS = """
global: {{scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: {interval}}}
rule_files: [{rules}]
scrape_configs: [{{job_name: tviews, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{path}: {error.read().decode()}") from error


def answers(port, path):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).close()
        return True
    except OSError:  # not listening yet, or not ready
        return False


@contextlib.contextmanager
def program(arguments, port, path, environment=None):
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(arguments, env=environment, stdout=log, stderr=log)
        try:
            wait_until(lambda: process.poll() is not None or answers(port, path), arguments[0])
            assert process.poll() is None, f"{arguments[0]} ended"
            yield
        except BaseException:
            log.seek(0)
            print(log.read().decode())
            raise
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def monitoring(server, database, role, interval="1s"):
    """Runs both for one database; yields their ports. They say what they said if the block fails."""
    exporter, prometheus = free_port(), free_port()
    with tempfile.TemporaryDirectory() as directory:
        # The file's cache of 30 seconds is for production.
        queries = (MONITORING / "postgres_exporter_queries.yaml").read_text().replace("  cache_seconds: 30\n", "")
        with open(f"{directory}/queries.yaml", "w", encoding="utf-8") as file:
            file.write(queries)
        with open(f"{directory}/prometheus.yaml", "w", encoding="utf-8") as file:
            file.write(PROMETHEUS.format(rules=MONITORING / "prometheus_rules.yaml", port=exporter, interval=interval))
        source = f"host={server.socket} user={role} dbname={database} sslmode=disable"
        with program(["prometheus-postgres-exporter", f"--extend.query-path={directory}/queries.yaml", "--disable-default-metrics",
                      "--disable-settings-metrics", f"--web.listen-address=127.0.0.1:{exporter}"], exporter, "/",
                     {"DATA_SOURCE_NAME": source}), \
             program(["prometheus", f"--config.file={directory}/prometheus.yaml", f"--storage.tsdb.path={directory}/data",
                      f"--web.listen-address=127.0.0.1:{prometheus}"], prometheus, "/-/ready"):
            yield exporter, prometheus
