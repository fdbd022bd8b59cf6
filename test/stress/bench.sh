#!/bin/bash
# Usage: test/stress/bench.sh BUILD_DIR [WORKLOAD...] [--scale 1] [--rounds 3] [--seconds 5]
#          [--budget SECONDS] [--contenders bare,hand,floor,refresh,concurrently,row,stmt,single,paused]
#          [--output docs/benchmarks]
# Measures what TVIEWs cost against the same work without them, with hand-written triggers, with
# materialized views, and with the set-based statements by hand ("floor"). Contenders take turns in
# every round; the figures are medians, in brackets the ratio to the floor, or to the bare tables.
# After each workload every document is compared with its query. --output writes results.csv,
# results.md, soak.csv and, with gnuplot, plots; cases in an earlier results.csv that were not measured again stay.
# Workloads: statements blog_bulk feed blog_writers latency item chain wide fan tpcb creation readers; and, only
# where they are named, flatness (TVIEWs of 10,000 to 10 million rows), crowd (1,000 TVIEWs, 200 databases) and
# soak (10 million rows, --soak-seconds 1800).
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
[ $# -gt 0 ] || set -- "$ROOT/build"
if [ -n "$(printf '%s\n' "$@" | grep -x -e '--output.*' || true)" ]; then apt_install /dev/null gnuplot-nox; fi
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$ROOT/test/support:$ROOT/test/stress/bench
exec /usr/bin/python3 "$ROOT/test/stress/bench/bench.py" "$@"
