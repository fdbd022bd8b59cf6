"""Usage: matrix_table.py LOG DOCUMENT     (scripts/matrix.sh runs it)

Writes what a log of scripts/matrix.sh says into the document's table, cell by cell: what was not run stays as it was, with
its own commit and date. Exits with 1 if something failed.
"""
import datetime
import pathlib
import re
import subprocess
import sys

KINDS = ("build", "unit", "regress", "isolation", "system", "docs")
HEAD = ["PostgreSQL", "system", "without warnings", "unit tests", "regress tests", "isolation tests", "system tests", "document tests"]
BEGIN, END = "<!-- scripts/matrix.sh writes this table -->", "<!-- end of the table -->"
# What the runners say of a test: GoogleTest, pg_regress before 16 and since, test/run_script.sh. A log of unit tests names
# failures twice, the second time without a duration.
PASSED = re.compile(r"^(?:\[       OK \] (\S+)|(?:test|    ) +(\S+) +\.\.\. ok |ok \d+ +[-+] (\S+))", re.M)
FAILED = re.compile(r"^(?:\[  FAILED  \] (\S+) \(\d+ ms\)|(?:test|    ) +(\S+) +\.\.\. FAILED|not ok \d+ +[-+] (\S+))", re.M)


def names(pattern, text):
    return [next(filter(None, found)) for found in pattern.findall(text)]


def result_of(kind, text, status):
    """(the words for a cell, whether all is well)"""
    if kind == "build":
        return ("yes" if status == 0 else "no"), status == 0
    passed, failed = names(PASSED, text), names(FAILED, text)
    if not failed and status == 0 and passed:
        return f"all {len(passed)}", True
    if not failed:
        return f"ended with {status} after {len(passed)}", False
    return f"{len(passed)} of {len(passed) + len(failed)}, not {', '.join(f'`{name}`' for name in failed)}", False


def read_log(text):
    server = re.search(r"^matrix: server (\S+) (.*)$", text, re.M)
    if not server:
        sys.exit("error: the run ended before it began")
    version, system = server.groups()
    rest, results = text[server.end():], {}
    for part, kind, status in re.findall(r"(.*?)^matrix: (\w+) (\d+)$", rest, re.M | re.S):
        results[kind] = result_of(kind, part, int(status))
    return version, system, results


def commit():
    def git(*command):
        return subprocess.run(["git", "-C", pathlib.Path(__file__).parent, *command], capture_output=True, text=True, check=True).stdout.strip()

    # Documents do not change what was tested.
    changed = git("status", "--porcelain", "--", ":(top)*", ":(top,exclude)docs", ":(top,exclude)*.md")
    return git("rev-parse", "--short", "HEAD") + (" and changes" if changed else "")


def rows_of(table):
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    return {row[0]: row for row in rows if row[0].isdigit()}


def merged(document, version, system, results):
    before, rest = document.split(BEGIN)
    table, after = rest.split(END)
    rows = rows_of(table)
    major = re.match(r"\d+", version)[0]
    row = rows.setdefault(major, [major, ""] + ["not run"] * len(KINDS))
    row[1] = f"{system}, {version}"
    for kind, (words, _) in results.items():
        row[2 + KINDS.index(kind)] = f"{words}; {commit()}, {datetime.date.today()}"
    lines = [HEAD, ["---"] * len(HEAD), *(rows[major] for major in sorted(rows, key=int))]
    return before + BEGIN + "\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n" + END + after


version, system, results = read_log(pathlib.Path(sys.argv[1]).read_text(errors="replace"))
path = pathlib.Path(sys.argv[2])
path.write_text(merged(path.read_text(), version, system, results))
for kind, (words, is_well) in results.items():
    print(f"  {version:8} {kind:10} {words}")
sys.exit(0 if results and all(is_well for _, is_well in results.values()) else 1)
