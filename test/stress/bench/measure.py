"""Measuring one contender: elapsed and CPU time, WAL, HOT updates, transactions per second, latency."""
import os
import pathlib
import re
import subprocess
import tempfile
import time

from tviews_server import run, value


def cpu_seconds(pid):
    """CPU time of a process so far, 0 where it has ended."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def ended_children_cpu_seconds(pid):
    """CPU time of the children of a process that have ended so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def cost(contender, action):
    """Runs action(): the figures that it returns, and what it cost, per document where pg_tviews says how many
    there were."""
    pids = contender.processes()
    updates, documents = contender.updates(), contender.written()[0]
    wal = value(contender.connection, "SELECT pg_current_wal_insert_lsn()")
    cpu = sum(map(cpu_seconds, pids))
    began = time.monotonic()
    figures = action()
    elapsed = time.monotonic() - began
    cpu = sum(map(cpu_seconds, pids)) - cpu
    wal = value(contender.connection, "SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", (wal,))
    figures |= {"seconds": elapsed, "CPU seconds": cpu, "WAL MB": float(wal) / 1e6}
    updated, hot = (float(a - b) for a, b in zip(contender.updates(), updates))
    if contender.kind not in ("bare", "refresh", "concurrently") and updated:
        figures["HOT %"] = 100 * hot / updated
    if contender.written()[0] > documents:
        figures["documents per second"] = (contender.written()[0] - documents) / elapsed
    return figures


def pgbench(bench, contender, text, clients, seconds=None):
    """Transactions per second, and how many there were."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(text)
        script.flush()
        out = bench.pgbench(contender.database, [
            "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)),
            "-T", str(max(1, round(seconds or bench.seconds))), "-f", script.name])
    found = [re.search(pattern, out, re.M).group(1)
             for pattern in (r"^tps = ([0-9.]+)", r"transactions actually processed: ([0-9]+)")]
    return float(found[0]), int(found[1])


PROCEDURE = """
CREATE OR REPLACE PROCEDURE measure_latency(turns int, pause float8, statement text, INOUT times float8[])
LANGUAGE plpgsql AS $$
DECLARE
  due timestamptz := clock_timestamp();
  committed timestamptz;
BEGIN
  FOR turn IN 1 .. turns LOOP
    due := due + pause * interval '1 s';
    PERFORM pg_sleep(extract(epoch FROM due - clock_timestamp())) WHERE due > clock_timestamp();
    EXECUTE replace(statement, '{n}', turn::text);
    COMMIT;
    committed := clock_timestamp();
    PERFORM pg_tviews_wait();
    times := times || extract(epoch FROM clock_timestamp() - committed)::float8 * 1000;
    COMMIT;
  END LOOP;
END $$"""


def commit_until_visible(bench, contender, statement, rate):
    """Milliseconds from commit to visible of single statements, one after the other at `rate` per second."""
    run(contender.connection, PROCEDURE)
    turns = max(10, int(rate * bench.seconds))
    times = sorted(value(contender.connection, "CALL measure_latency(%s, %s, %s, '{}')",
                         (turns, 1 / rate, statement)))
    return {"p50 ms": times[len(times) // 2], "p99 ms": times[int(len(times) * 0.99)], "worst ms": times[-1]}


def run_program(arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout
