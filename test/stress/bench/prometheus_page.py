#!/usr/bin/python3
"""Usage: PYTHONPATH=test/support test/stress/bench/prometheus_page.py BUILD_DIR PICTURE.png      (needs chromium; two minutes)

Takes the picture in docs/operations/monitoring.md: a server under load whose applier is paused for 15 seconds, in
Prometheus' own pages, with the exporter and the files of monitoring/.
"""
import subprocess
import sys
import tempfile
import time
import urllib.parse

import shop
from monitoring import monitoring
from tviews_server import Server, run

EXPRESSIONS = ("sum(pg_tviews_queue_oldest_seconds)", "sum by (entity) (rate(pg_tviews_refresh_keys[15s]))")

with Server("prometheus_page") as server, tempfile.TemporaryDirectory() as profile:
    connection = server.prepare("shop", "CREATE ROLE watcher LOGIN IN ROLE pg_monitor;" + shop.SCRIPT)
    writers = shop.Writers(lambda: server.connect("shop"), sessions=1, seed=1)
    with monitoring(server, "shop", "watcher", interval="1s") as (_, prometheus):
        time.sleep(60)
        run(connection, "SELECT pg_tviews_pause()")
        time.sleep(15)
        run(connection, "SELECT pg_tviews_resume()")
        time.sleep(25)
        panels = "&".join(f"g{place}.expr={urllib.parse.quote(expression)}&g{place}.tab=0&g{place}.range_input=2m"
                          for place, expression in enumerate(EXPRESSIONS))
        subprocess.run(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1000,1560",
                        "--virtual-time-budget=8000", f"--user-data-dir={profile}", f"--screenshot={sys.argv[2]}",
                        f"http://127.0.0.1:{prometheus}/graph?{panels}"], check=True, timeout=90)
    writers.stop()
