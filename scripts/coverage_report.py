#!/usr/bin/python3
"""Usage: scripts/coverage_report.py BUILD_DIR MINIMUM

Prints the line coverage of each file of src/ and of all together from gcov's counters in BUILD_DIR.
A line counts once, however many objects contain it. Then the same for each room. Fails if the total is below MINIMUM
percent, or a room below its target, which docs/development/coverage.md explains.
"""
import collections
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src"
# What decides whether documents are right has to be tried nearly everywhere. Much of the other two are ways out after a
# failure of the server.
TARGETS = {"backend/capture": 95, "backend/lineage": 95, "shared": 95, "shared/pg/shmem": 95, "worker/core": 95, "worker/refresh": 95,
           "backend/reading": 85, "shared/pg/boundary": 85}
TARGET = 90


def room_of(path: pathlib.Path) -> str:
    """backend/capture, worker/refresh; of shared, what is below pg stands for itself."""
    parts = path.relative_to(SOURCES).parts[:-1]
    return "/".join(parts[:3] if parts[:2] == ("shared", "pg") else parts[:1] if parts[:1] == ("shared",) else parts[:2]) or "."


def reports(build: pathlib.Path):
    """What gcov says about each object, one JSON document per object."""
    notes = sorted(str(note) for name in ("pg_tviews", "tviews_core")
                   for note in (build / f"CMakeFiles/{name}.dir").rglob("*.gcno"))
    assert notes, f"{build} was not built with TVIEWS_COVERAGE"
    for first in range(0, len(notes), 10):
        done = subprocess.run(["gcov", "--json-format", "--stdout", *notes[first:first + 10]],
                              capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            yield json.loads(line)


def main() -> int:
    build, minimum = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    counts = collections.defaultdict(lambda: collections.defaultdict(int))
    for report in reports(build):
        for file in report["files"]:
            path = pathlib.Path(report["current_working_directory"], file["file"]).resolve()
            if SOURCES in path.parents:
                for line in file["lines"]:
                    counts[path][line["line_number"]] += line["count"]
    total = covered = 0
    rooms = collections.defaultdict(lambda: [0, 0])
    for path in sorted(counts):
        lines = counts[path]
        hit = sum(count > 0 for count in lines.values())
        total, covered = total + len(lines), covered + hit
        room = rooms[room_of(path)]
        room[0], room[1] = room[0] + len(lines), room[1] + hit
        missing = [number for number, count in sorted(lines.items()) if count == 0]
        print(f"{100 * hit / len(lines):6.1f} %  {hit:5d} of {len(lines):5d}  {path.relative_to(ROOT)}"
              + (f"  not: {' '.join(map(str, missing[:30]))}" if missing else ""))
    failed = False
    for name, (lines, hit) in sorted(rooms.items()):
        wanted = TARGETS.get(name, TARGET)
        failed |= 100 * hit < wanted * lines
        print(f"{100 * hit / lines:6.1f} %  {hit:5d} of {lines:5d}  room {name} (wanted: {wanted} %)")
    share = 100 * covered / total
    print(f"{share:6.1f} %  {covered:5d} of {total:5d}  lines of src/ (wanted: {minimum:g} %)")
    return 0 if share >= minimum and not failed else 1


sys.exit(main())
