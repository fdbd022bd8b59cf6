"""The bulk workloads of the benchmark at a tenth of their size: what they write equals
its query, and the ratios to the set-based statements by hand are printed. SCALE=1 runs them in full.
"""
# Runs alone: it measures.
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "bench"))

import bench  # noqa: E402

SCALE = os.environ.get("SCALE", "0.1")

bench.main([sys.argv[1], "blog_bulk", "item", "chain", "wide", "fan", "--scale", SCALE, "--rounds", "1",
            "--no-fsync", "--contenders", "floor,row", "--prefix", "note: "], server_name="bench_small")
