"""limits.py, disasters.py and sizing.py at a fraction of the size: everything they try works, and no document is wrong."""
import os
import pathlib
import subprocess
import sys

SCALE = os.environ.get("SCALE", "0.02")
programs = {"limits.py": ["--scale", SCALE], "disasters.py": ["--scale", SCALE], "sizing.py": ["--sizes", "1000"]}
if os.geteuid() != 0:
    print("note: skipped: disasters.py mounts a file system, which only root can")
    del programs["disasters.py"]
for program, size in programs.items():
    done = subprocess.run([sys.executable, pathlib.Path(__file__).with_name(program), sys.argv[1], *size],
                          capture_output=True, text=True)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, program
    assert done.stdout.count("\n| ") >= 5, done.stdout
