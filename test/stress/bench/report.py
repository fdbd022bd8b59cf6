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
REFERENCES = ("floor", "bare", "single", "row")
PLOTTED = {"transactions per second": "writers", "seconds": "refresh"}


def medians(rows):
    """{(case, metric): {contender: (median, ratio)}} in the order of measurement. The ratio is to the
    case's reference: the median of the rounds' ratios, because what disturbs a machine disturbs a
    round's neighbours alike. None for the reference itself, and where there is nothing to compare."""
    values = collections.defaultdict(lambda: collections.defaultdict(dict))
    for case, contender, metric, value, turn in rows:
        values[case, metric][contender][turn] = value
    return {key: {contender: (statistics.median(of_turn.values()), ratio(found, contender))
                  for contender, of_turn in found.items()}
            for key, found in values.items()}


def ratio(found, contender):
    to = next((r for r in REFERENCES if r in found), None)
    if to is None or to == contender:
        return None
    ratios = [value / found[to][turn] for turn, value in found[contender].items() if found[to].get(turn)]
    return statistics.median(ratios) if ratios else None


def cell(median, to_reference):
    return f"{median:.4g}" + (f" ({to_reference:.2f})" if to_reference is not None else "")


def lines(rows):
    """One line per case and metric: each contender's median, and in brackets its ratio to the reference."""
    for (case, metric), found in medians(rows).items():
        yield f"{case}, {metric}: " + ", ".join(f"{contender} {cell(*pair)}" for contender, pair in found.items())


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
        cells = [cell(*values[k]) if k in values else "" for k in kinds]
        out.append(f"| {case} | {metric} | " + " | ".join(cells) + " |")
    path.write_text("\n".join(out) + "\n")


def write_plots(rows, directory):
    """One SVG of ratios per plotted metric; nothing where gnuplot is missing."""
    if shutil.which("gnuplot") is None:
        return
    for metric, name in PLOTTED.items():
        found = {case: values for (case, m), values in medians(rows).items()
                 if m == metric and any(pair[1] is not None for pair in values.values())}
        kinds = list(dict.fromkeys(kind for values in found.values() for kind in values))
        if found:
            plot(found, kinds, metric, directory / f"{name}.svg")


def plot(found, kinds, metric, path):
    data = path.with_suffix(".dat")
    with data.open("w") as file:
        for case, values in found.items():
            # The reference is 1.
            print(f'"{case}"', *(f"{1 if values[k][1] is None else values[k][1]:.4f}" if k in values else "NaN"
                                 for k in kinds), file=file)
    columns = ", ".join(f"'{data}' using {i + 2}:xtic(1) title '{kind}'" for i, kind in enumerate(kinds))
    scale = "set logscale y;" if metric == "seconds" else ""
    subprocess.run(["gnuplot", "-e", f"""set terminal svg size {160 + 90 * len(found)},760 font 'sans,11';
        set output '{path}'; set style data histogram; set style histogram clustered gap 1;
        set style fill solid 0.8; set xtics rotate by -40; set key outside top horizontal; set grid y; {scale}
        set bmargin 20; set rmargin 14; set ylabel 'ratio of {metric}'; plot {columns}, 1 notitle lc 'black'"""], check=True)
    data.unlink()


def earlier(rows, path):
    """The rows of an earlier run that this one has not measured again, before those that it has."""
    if not path.exists():
        return rows
    again = {case for case, *_ in rows}
    with path.open(newline="") as file:
        return [(case, contender, metric, float(value), turn) for case, contender, metric, value, turn
                in list(csv.reader(file))[1:] if case not in again] + rows


def write_all(rows, title, directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    rows = earlier(rows, directory / "results.csv")
    write_csv(rows, directory / "results.csv")
    write_markdown(rows, title, directory / "results.md")
    write_plots(rows, directory)
