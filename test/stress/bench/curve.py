"""What must not grow under a load that lasts, sampled every 10 seconds: soak.csv and soak.svg."""
import contextlib
import csv
import pathlib
import shutil
import subprocess
import threading
import time

from tviews_server import children, run

PERIOD = 10  # seconds
COLUMNS = ("seconds", "changes per second", "keys waiting", "lag in seconds", "outbox MB", "applier MB", "server MB",
           "documents MB")


class Curve:
    """The samples of one contender."""

    def __init__(self, server, contender):
        self.server, self.contender = server, contender
        self.samples = []
        self.began = time.monotonic()

    @contextlib.contextmanager
    def drawn(self):
        """Samples while the body runs. What a sample raises comes out at the end."""
        done, failed = threading.Event(), []

        def sampling():
            try:
                with contextlib.closing(self.server.connect(self.contender.database)) as connection:
                    run(connection, "SET pg_tviews.read_consistency = eventual")
                    before = self.sample(connection, (self.began, applied(connection)))
                    while not done.wait(PERIOD):
                        before = self.sample(connection, before)
            except Exception as error:
                failed.append(error)

        thread = threading.Thread(target=sampling)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        if failed:
            raise failed[0]

    def sample(self, connection, before):
        """`before`: when the last sample was taken, and how many changes had been applied; returned are those of this one."""
        now, changes = time.monotonic(), applied(connection)
        keys, lag, outbox, documents = run(connection, """
            SELECT keys, coalesce(extract(epoch FROM age), 0)::float8, pg_total_relation_size('tviews_internal.pg_tview_outbox') / 1e6::float8,
                   (SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relname LIKE 'tv\\_%' AND relkind = 'r') / 1e6::float8
            FROM pg_tviews_lag WHERE database = current_database()""")[0]
        appliers = [pid for (pid,) in run(connection, """SELECT pid FROM pg_stat_activity
            WHERE backend_type = 'pg_tviews applier' AND datname = current_database()""")]
        server = sum(map(memory, children(self.server.postmaster())))
        sample = (now - self.began, (changes - before[1]) / max(now - before[0], 1e-9), keys, lag, outbox, sum(map(memory, appliers)),
                  server, documents)
        self.samples.append(sample)
        print("soak, " + ", ".join(f"{name} {figure:.4g}" for name, figure in zip(COLUMNS, sample)), flush=True)
        return now, changes

    def write(self, directory):
        """The samples as soak.csv, and soak.svg where there is gnuplot: a panel for each column."""
        path = pathlib.Path(directory) / "soak.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(COLUMNS)
            out.writerows([f"{figure:.4g}" for figure in sample] for sample in self.samples)
        if shutil.which("gnuplot") is None:
            return
        panels = "".join(f"set title '{name}'; plot '{path}' using 1:{i} with lines lw 2 notitle; "
                         for i, name in enumerate(COLUMNS[1:], start=2))
        subprocess.run(["gnuplot", "-e", f"""set terminal svg size 1100,900 font 'sans,11'; set output '{path.with_suffix(".svg")}';
            set datafile separator ','; set key autotitle columnhead; set grid; set yrange [0:*]; set xlabel 'seconds';
            set multiplot layout 4,2; {panels}"""], check=True)


def applied(connection):
    """Change records that batches have applied so far."""
    return run(connection, "SELECT records FROM pg_tview_frontier")[0][0]


def memory(pid):
    """Private memory of a process in MB, 0 where it has ended."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000
