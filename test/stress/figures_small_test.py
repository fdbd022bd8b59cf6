"""limits.py and disasters.py at a fiftieth of the size: everything they try works, and no document is wrong."""
import os
import pathlib
import subprocess
import sys

SCALE = os.environ.get("SCALE", "0.02")
programs = ["limits.py", "disasters.py"]
if os.geteuid() != 0:
    print("note: skipped: disasters.py mounts a file system, which only root can")
    programs.remove("disasters.py")
for program in programs:
    done = subprocess.run([sys.executable, pathlib.Path(__file__).with_name(program), sys.argv[1], "--scale", SCALE],
                          capture_output=True, text=True)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, program
    assert done.stdout.count("\n| ") >= 5, done.stdout
