"""Medians, ratios, CSV and plots of what the benchmark has measured."""
import collections
import csv
import pathlib
import shutil
import statistics
import subprocess

# Metrics of which more is better; of the others, less.
RATES = ("transactions per second", "documents per second", "HOT %")
# What each metric's ratio is taken to: the first of these that was measured in the same case.
REFERENCES = ("floor", "bare", "row")
PLOTTED = {"transactions per second": "writers", "seconds": "refresh"}


def medians(rows):
    """{(case, metric): {contender: median}} in the order of measurement."""
    values = collections.defaultdict(lambda: collections.defaultdict(list))
    for case, contender, metric, value, _ in rows:
        values[case, metric][contender].append(value)
    return {key: {contender: statistics.median(v) for contender, v in found.items()}
            for key, found in values.items()}


def reference(found):
    return next((r for r in REFERENCES if r in found), None)


def lines(rows):
    """One line per case and metric: each contender's median, and in brackets its ratio to the reference."""
    for (case, metric), found in medians(rows).items():
        to = reference(found)
        parts = []
        for contender, median in found.items():
            ratio = f" ({median / found[to]:.2f})" if to and contender != to and found[to] else ""
            parts.append(f"{contender} {median:.4g}{ratio}")
        yield f"{case}, {metric}: {', '.join(parts)}"


def write_csv(rows, path):
    with path.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("case", "contender", "metric", "value", "round"))
        out.writerows((case, contender, metric, f"{value:.6g}", turn) for case, contender, metric, value, turn in rows)


def write_markdown(rows, title, path):
    """The medians as a table: one row per case and metric, one column per contender."""
    found = medians(rows)
    kinds = list(dict.fromkeys(kind for values in found.values() for kind in values))
    out = [f"# {title}", "", "| case | metric | " + " | ".join(kinds) + " |", "|---|---|" + "---|" * len(kinds)]
    for (case, metric), values in found.items():
        to = reference(values)
        cells = [f"{values[k]:.4g}" + (f" ({values[k] / values[to]:.2f})" if to and k != to and values[to] else "")
                 if k in values else "" for k in kinds]
        out.append(f"| {case} | {metric} | " + " | ".join(cells) + " |")
    path.write_text("\n".join(out) + "\n")


def write_plots(rows, directory):
    """One SVG of ratios per plotted metric; nothing where gnuplot is missing."""
    if shutil.which("gnuplot") is None:
        return
    for metric, name in PLOTTED.items():
        found = {case: values for (case, m), values in medians(rows).items() if m == metric and reference(values)}
        kinds = list(dict.fromkeys(kind for values in found.values() for kind in values))
        if found:
            plot(found, kinds, metric, directory / f"{name}.svg")


def plot(found, kinds, metric, path):
    data = path.with_suffix(".dat")
    with data.open("w") as file:
        for case, values in found.items():
            to = values[reference(values)]
            print(f'"{case}"', *(f"{values[k] / to:.4f}" if k in values and to else "NaN" for k in kinds), file=file)
    columns = ", ".join(f"'{data}' using {i + 2}:xtic(1) title '{kind}'" for i, kind in enumerate(kinds))
    scale = "set logscale y;" if metric == "seconds" else ""
    subprocess.run(["gnuplot", "-e", f"""set terminal svg size {160 + 90 * len(found)},760 font 'sans,11';
        set output '{path}'; set style data histogram; set style histogram clustered gap 1;
        set style fill solid 0.8; set xtics rotate by -40; set key outside top horizontal; set grid y; {scale}
        set bmargin 20; set rmargin 14; set ylabel 'ratio of {metric}'; plot {columns}, 1 notitle lc 'black'"""], check=True)
    data.unlink()


def write_all(rows, title, directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_csv(rows, directory / "results.csv")
    write_markdown(rows, title, directory / "results.md")
    write_plots(rows, directory)
