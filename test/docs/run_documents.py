"""Runs the SQL of the documents, each document in a new database, and compares what they show.

Usage: run_documents.py --list
       run_documents.py [--patterns 'README.md docs/con* !docs/r*'] [--verbose] [--update]
                        --first SOCKET_DIR --second SOCKET_DIR -- psql arguments...

A ```sql block is executed by psql; a ```text block that follows it, with nothing but comments between
them, is its output, compared line by line. A block without output may print what it likes, but no
error. A second word after `sql` names a session: ```sql reader. Blocks of one session share a
connection. A session whose name begins with `other` is one of a second server, with a database of its own for
each name; psql's variable `first` is there the connection string of the document's database on the first.

    <!-- volatile: REGEX -->

between the two says that what REGEX matches differs from run to run; it is then replaced by # on both
sides, and runs of spaces, and of dashes, count as one.

    <!-- output of PostgreSQL 15 to 17 -->

there says that other servers print it in another way; they only run the block. Besides, every file and
section that a document names, in a link, as a path of this tree or as a test in backquotes, must exist,
docs/index.md must link to every other document, and a row of a table that names a file of src/ may name
only functions that occur in it. --update writes the real output into the documents: read the difference
before committing it.
"""
import argparse
import difflib
import fnmatch
import glob
import os
import re
import select
import subprocess
import sys
import time

TIMEOUT_S = 60
MARKER = "-- end of block --"
PATH = re.compile(r"`((?:src|sql|scripts|test|docs|proto|cmake)/[\w./-]*\w)`")
TEST_FILE = re.compile(r"`(\w+(?:\.spec|\.sql|_test\.py))`")
UNIT_TEST = re.compile(r"`([A-Z]\w+)\.([A-Z]\w+)`")
FUNCTION = re.compile(r"`(?:\w+::)?((?:[A-Z][a-z]+){2,}|tviews_\w+)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]*)\)")


class Block:
    def __init__(self, line, session, sql):
        self.line, self.session, self.sql = line, session, sql
        self.expected, self.expected_line = None, 0
        self.volatile = []
        self.majors = None


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_blocks(path):
    """The SQL blocks of a document, in order, each with the output that follows it."""
    blocks, last, volatile, majors, fence, body = [], None, [], None, None, []
    for number, line in enumerate(read(path).splitlines(), 1):
        if fence is not None:
            if line.strip() != "```":
                body.append(line)
                continue
            words = fence.split()
            if words[:1] == ["sql"]:
                last = Block(number - len(body), words[1] if len(words) > 1 else "main", "\n".join(body))
                blocks.append(last)
                volatile, majors = [], None
            elif words[:1] == ["text"] and last is not None:
                last.expected, last.expected_line = body, number - len(body)
                last.volatile, last.majors, last = volatile, majors, None
            else:
                last = None
            fence, body = None, []
        elif line.startswith("```"):
            fence = line[3:].strip()
        elif match := re.fullmatch(r"<!-- volatile: (.*) -->", line):
            volatile.append(match[1])
        elif match := re.fullmatch(r"<!-- output of PostgreSQL (\d+) to (\d+) -->", line):
            majors = range(int(match[1]), int(match[2]) + 1)
        elif line.strip():
            last = None
    if fence is not None:
        raise SystemExit(f"{path}: a block is not closed")
    return blocks


class Session:
    """A psql process that is fed one block after the other."""

    def __init__(self, command, database):
        self.process = subprocess.Popen(command + ["-d", database], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, sql):
        self.process.stdin.write(f"{sql}\n\\echo {MARKER}\n".encode())
        self.process.stdin.flush()
        output, deadline = b"", time.monotonic() + TIMEOUT_S
        while f"{MARKER}\n".encode() not in output:
            ready, _, _ = select.select([self.process.stdout], [], [], deadline - time.monotonic())
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not piece:
                raise RuntimeError("psql ended or gave no answer; so far:\n" + output.decode())
            output += piece
        lines = output.decode().split(f"{MARKER}\n")[0].splitlines()
        return [line.rstrip() for line in lines]

    def close(self):
        self.process.stdin.close()
        self.process.wait(TIMEOUT_S)


def normalise(lines, volatile):
    lines = [line.rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    for pattern in volatile:
        lines = [re.sub(pattern, "#", line) for line in lines]
    if volatile:
        lines = [re.sub(r"-+", "-", re.sub(r" +", " ", line)).rstrip() for line in lines]
    return lines


def compare(path, block, output):
    if block.expected is None:
        if not any(re.search(r"\b(ERROR|FATAL|PANIC):", line) for line in output):
            return []
        return [f"{path}:{block.line}: the block failed:"] + output
    expected, actual = normalise(block.expected, block.volatile), normalise(output, block.volatile)
    if expected == actual:
        return []
    return [f"{path}:{block.line}: the output differs:"] + list(
        difflib.unified_diff(expected, actual, "documented", "real", lineterm="", n=1))


def update(path, shown):
    """Replaces the documented outputs by the real ones; `shown` is a list of (block, output)."""
    lines = read(path).splitlines()
    for block, output in reversed(shown):
        while output and not output[-1]:
            output.pop()
        start = block.expected_line - 1
        lines[start:start + len(block.expected)] = output
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def anchors(path):
    """The names that the headings of a document have in links."""
    text = re.sub(r"^```.*?^```", "", read(path), flags=re.MULTILINE | re.DOTALL)
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def missing(path):
    """What a document names and this tree does not have."""
    problems, text = [], read(path)
    named = [(name, name) for name in PATH.findall(text)]
    named += [(link, os.path.join(os.path.dirname(path), link)) for link in LINK.findall(text)]
    for name, file in named:
        if not os.path.exists(file):
            problems.append(f"{path}: there is no {name}")
    for link, anchor in ANCHOR.findall(text):
        file = os.path.join(os.path.dirname(path), link) if link else path
        if file.endswith(".md") and os.path.exists(file) and anchor not in anchors(file):
            problems.append(f"{path}: there is no section {link}#{anchor}")
    if path == "docs/index.md":
        linked = {os.path.normpath(os.path.join("docs", link)) for link in LINK.findall(text)}
        problems += [f"{path}: no link to {file}" for file in sorted(glob.glob("docs/**/*.md", recursive=True))
                     if file != path and file not in linked]
    for row in (line for line in text.splitlines() if line.startswith("| ")):
        files = [name for name in PATH.findall(row) if name.startswith("src/") and os.path.isfile(name)]
        source = "".join(read(name) for name in files)
        problems += [f"{path}: there is no {name} in {' or '.join(files)}"
                     for name in FUNCTION.findall(row) if files and name not in source]
    problems += [f"{path}: there is no test {name}" for name in TEST_FILE.findall(text)
                 if not glob.glob(f"test/**/{name}", recursive=True)]
    units = "".join(read(name) for name in glob.glob("test/unit/*_test.cc"))
    problems += [f"{path}: there is no unit test {suite}.{name}" for suite, name in UNIT_TEST.findall(text)
                 if not re.search(rf"TEST(_F|_P)?\({suite}, {name}\)", units)]
    return problems


class Databases:
    """The databases of one document: one on the first server, one on the second per session there."""

    def __init__(self, path, command, options):
        self.name = "document_" + re.sub(r"\W", "_", path.lower())
        self.command, self.options, self.made = command, options, []

    def open(self, session):
        command, database = self.command, self.name
        if session.startswith("other"):
            first = f"host={self.options.first} dbname={self.name} user=postgres"
            command = command + ["-h", self.options.second, "-v", f"first={first}"]
            database += "_" + session
        if database not in [made for _, made in self.made]:
            self.admin(command, f"CREATE DATABASE {database}")
            self.made.append((command, database))
        return Session(command, database)

    def drop(self):
        # The last first: a subscriber goes before what it subscribes to.
        for command, database in reversed(self.made):
            for subscription in self.subscriptions(command, database):
                self.admin(command, f'DROP SUBSCRIPTION "{subscription}"', database)
            self.admin(command, f"DROP DATABASE {database}")

    @staticmethod
    def subscriptions(command, database):
        query = ("SELECT pg_subscription.subname FROM pg_subscription JOIN pg_database"
                 f" ON pg_database.oid = pg_subscription.subdbid WHERE pg_database.datname = '{database}'")
        done = subprocess.run(command + ["-d", "postgres", "-Atc", query], check=True, capture_output=True, text=True)
        return done.stdout.split()

    @staticmethod
    def admin(command, statement, database="postgres"):
        subprocess.run(command + ["-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement], check=True)


def major_version(command):
    done = subprocess.run(command + ["-d", "postgres", "-Atc", "SHOW server_version_num"], check=True, capture_output=True, text=True)
    return int(done.stdout) // 10000


def run_document(path, command, options):
    problems, blocks = missing(path), read_blocks(path)
    if not blocks:
        return problems
    databases = Databases(path, command, options)
    sessions, changed = {}, []
    try:
        for block in blocks:
            if block.majors is not None and major_version(command) not in block.majors:
                block.expected = None
            if block.session not in sessions:
                sessions[block.session] = databases.open(block.session)
            output = sessions[block.session].run(block.sql)
            if options.verbose:
                print("\n".join([f"-- {path}:{block.line} ({block.session})", block.sql] + output))
            differences = compare(path, block, output)
            if differences and options.update and block.expected is not None:
                changed.append((block, output))
            else:
                problems += differences
    finally:
        for session in sessions.values():
            session.close()
    databases.drop()
    if changed:
        update(path, changed)
    return problems


def documents():
    return ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"] + sorted(glob.glob("docs/**/*.md", recursive=True))


def is_chosen(path, patterns):
    """As in scripts/lib.sh: without a pattern all, and one that a pattern with ! matches is left out."""
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return (not wanted or any(fnmatch.fnmatchcase(path, pattern) for pattern in wanted)) and not any(
        fnmatch.fnmatchcase(path, pattern) for pattern in unwanted)


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(documents()))
        return False
    parser = argparse.ArgumentParser()
    parser.add_argument("--patterns", default="")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--first", required=True)
    parser.add_argument("--second", required=True)
    parser.add_argument("psql", nargs="+")
    options = parser.parse_args()
    failed = False
    for path in documents():
        if not is_chosen(path, options.patterns.split()):
            continue
        began = time.monotonic()
        try:
            problems = run_document(path, options.psql, options)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            problems = [str(error)]
        word = "FAILED" if problems else "ok    "
        print(f"test {path:28} ... {word} {int((time.monotonic() - began) * 1000):8} ms")
        if problems:
            print("\n".join(problems))
            failed = True
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(main())
