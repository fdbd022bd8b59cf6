#!/usr/bin/python3
"""Usage: test/mutations/run.py [BUILD_DIR [NAME...]]

Plants each of the faults of mutations.py in a copy of the tree, builds it, and runs the test that must notice. Fails if one
does not: `survived`. The copy and its build stay in BUILD_DIR/mutations (default: build/mutations), so that a fault costs one
file and the links.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import time

from mutations import ALL, Mutation

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIMULATION_RUNS = 300_000
SECONDS = {"unit": 120, "simulation": 300, "regress": 400, "isolation": 400, "system": 600}


def copy_tree(tree: pathlib.Path):
    """Files that have not changed keep their times, so that they are not compiled again."""
    names = subprocess.check_output(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], text=True).splitlines()
    for name in names:
        source, target = ROOT / name, tree / name
        if not source.is_file() or (target.is_file() and target.read_bytes() == source.read_bytes()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    wanted = set(names)
    for path in tree.rglob("*"):
        if path.is_file() and str(path.relative_to(tree)) not in wanted:
            path.unlink()


class Workshop:
    def __init__(self, place: pathlib.Path):
        self.tree, self.build = place / "tree", place / "build"
        self.tree.mkdir(parents=True, exist_ok=True)
        copy_tree(self.tree)
        self.log = place / "log"
        self.shell(f'. "{self.tree}/scripts/lib.sh" && configure_build "{self.build}"', 300)

    def shell(self, command: str, seconds: int, **environment) -> bool:
        """False if it fails; one that does not end has failed too."""
        with self.log.open("w") as log:
            try:
                done = subprocess.run(["timeout", "-k", "10", str(seconds), "bash", "-c", command], stdout=log, stderr=log,
                                      stdin=subprocess.DEVNULL, env={**os.environ, **environment}, check=False)
            except OSError as error:
                raise SystemExit(f"{command}: {error}") from error
        return done.returncode == 0

    def make(self, catcher: str) -> bool:
        kind = catcher.split(":")[0]
        targets = {"unit": "unit_tests", "simulation": "simulation"}.get(kind, "all")
        return self.shell(f'cmake --build "{self.build}" --target {targets}', 1800)

    def passes(self, catcher: str) -> bool:
        kind, _, name = catcher.partition(":")
        if kind == "simulation":
            command = f'"{self.build}/test/simulation/simulation" --runs {SIMULATION_RUNS}'
        elif kind == "unit":
            command = f'"{self.build}/test/unit/unit_tests" --gtest_filter="{name}"'
        else:
            command = f'"{self.tree}/test/{kind}/run.sh" "{self.build}"'
        return self.shell(command, SECONDS[kind], TESTS=name, JOBS="1")

    def survives(self, mutation: Mutation) -> bool:
        path = self.tree / mutation.file
        text = path.read_text()
        if text.count(mutation.old) != 1:
            raise SystemExit(f"error: {mutation.name} does not apply to {mutation.file}: see scripts/check_mutations")
        path.write_text(text.replace(mutation.old, mutation.new))
        try:
            if not self.make(mutation.catcher):
                raise SystemExit(f"error: {mutation.name} does not compile: {self.log}")
            return self.passes(mutation.catcher)
        finally:
            path.write_text(text)


def main() -> int:
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
    unknown = set(sys.argv[2:]) - {mutation.name for mutation in ALL}
    if unknown:
        raise SystemExit(f"error: there is no mutation {', '.join(sorted(unknown))}")
    chosen = [mutation for mutation in ALL if not sys.argv[2:] or mutation.name in sys.argv[2:]]
    workshop = Workshop(build / "mutations")
    survivors, trusted = [], set()
    for mutation in chosen:
        if mutation.catcher not in trusted and not (workshop.make(mutation.catcher) and workshop.passes(mutation.catcher)):
            raise SystemExit(f"error: {mutation.catcher} fails without any fault: {workshop.log}")
        trusted.add(mutation.catcher)
        began = time.monotonic()
        survives = workshop.survives(mutation)
        if survives:
            survivors.append(mutation.name)
        print(f"test {mutation.name:28} ... {'FAILED' if survives else 'ok    '} {(time.monotonic() - began) * 1000:8.0f} ms  "
              f"{'survived' if survives else 'noticed by'} {mutation.catcher}", flush=True)
    print(f"{len(chosen) - len(survivors)} passed, {len(survivors)} failed")
    return 1 if survivors or not chosen else 0


sys.exit(main())
