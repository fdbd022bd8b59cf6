"""The lookups of random definitions and of every join of three tables, without the engine around them: lineage_fuzz.py on a server.

QUERIES (default 120) and SEED may be set in the environment.
"""
import os
import subprocess
import sys
import time

from tviews_server import ROOT, Server, run

QUERIES = os.environ.get("QUERIES", "120")
SEED = os.environ.get("SEED", str(time.time_ns() % 1000000))

with Server("lineage_lookups") as server:
    run(server.connect(), "CREATE EXTENSION pg_tviews")
    for queries in (["--queries", QUERIES, "--batches", "8"], ["--every-join", "--batches", "2"]):
        done = subprocess.run(
            [sys.executable, ROOT / "test/stress/lineage_fuzz.py", *queries, "--seed", SEED, "--", "-h", server.socket,
             "-U", "postgres", "-d", "postgres"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(done.stdout)
        assert done.returncode == 0, f"seed {SEED}"
        print("note: " + done.stdout.strip().splitlines()[-1])
