"""The bench's answer: a long table to keep, and short ones to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.benchmarks.quality.model_selection import KEYS, Row
from jobs.benchmarks.quality.trial import MEASURE, OF_TRACKS, WITH_MISSED
from vcn_ray.evaluate.report import Scores

_AFTER_SEASONS = ("mean F", "worst F", "WCP", "Unknown", "false clusters", "seconds")

#: Of the files of an answer, behind their stem.
ENDINGS = (".parquet", ".csv", ".md", "-confidence.parquet")

_NUMBERS = {
    **dict.fromkeys(("seed", "iteration", "iterations", "delivered"), pa.int64()),
    **dict.fromkeys(("wall_s", "train_s"), pa.float64()),
    "settled": pa.bool_(),
}
_OF_TRACKS = {name: pa.float64() if name == "appearance_recall" else pa.int64() for name in OF_TRACKS}
_SCORES = {f.name: pa.int64() if f.type == "int" else pa.float64() for f in fields(Scores)}

#: One row per season, case, method and seed (and iteration).
QUALITY = pa.schema(
    [
        *((name, _NUMBERS.get(name, pa.string())) for name in KEYS),
        *_OF_TRACKS.items(),
        *_SCORES.items(),
        (WITH_MISSED, pa.float64()),
    ]
)


@dataclass(frozen=True)
class Grid:
    """A table of texts with a title."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""  # stands below the title

    def markdown(self) -> str:
        """As a Markdown table under a heading."""
        lines = [[cell.replace("|", "\\|") for cell in line] for line in (self.header, *self.rows)]
        lines.insert(1, ["---"] * len(self.header))
        head = [f"### {self.title}", "", *([self.note, ""] if self.note else [])]
        return "\n".join([*head, *("| " + " | ".join(line) + " |" for line in lines), ""])

    def rich(self) -> Table:
        """For a terminal."""
        title = f"{self.title}\n{self.note}" if self.note else self.title
        table = Table(*map(escape, self.header), title=escape(title), title_justify="left")
        for row in self.rows:
            table.add_row(*map(escape, row))
        return table


def stem_of(output: str) -> Path:
    """What the names of all files of an answer begin with; the ending of one of them may be there already."""
    path = Path(output)
    return path.with_suffix("") if path.suffix in ENDINGS else path


def answer_file(stem: Path, ending: str) -> Path:
    """A file of an answer; what stands behind a dot of the stem stays."""
    return stem.with_name(stem.name + ending)


def store_rows(rows: Sequence[Row], stem: Path) -> None:
    """Write the long table as STEM.parquet and STEM.csv (`QUALITY`)."""
    table = pa.Table.from_pylist(list(rows), QUALITY)
    pq.write_table(table, answer_file(stem, ".parquet"))
    pacsv.write_csv(table, answer_file(stem, ".csv"))


def print_grids(grids: Iterable[Grid], *, stderr: bool = False) -> None:
    """Print them as wide as they are, also where the output is no terminal."""
    for grid in grids:
        widths = (max(map(len, column)) for column in zip(grid.header, *grid.rows, strict=True))
        Console(width=max(100, 2 + sum(width + 3 for width in widths)), stderr=stderr).print(grid.rich())


def summaries(rows: Sequence[Row], note: str = "") -> list[Grid]:
    """A table per kind of case and whose tracks: methods down, seasons across; then the one over iterations.

    note: what is to be said of all of them.
    """
    answers = [row for row in rows if row["iteration"] is None]
    grids = []
    for kind, tracks_of in dict.fromkeys((row["kind"], row["tracks_of"]) for row in answers):
        grids.append(
            _summary(kind, tracks_of, [r for r in answers if (r["kind"], r["tracks_of"]) == (kind, tracks_of)])
        )
    grids += _iterations(rows)
    return [replace(grid, note=note) for grid in grids]


def _summary(kind: str, tracks_of: str, rows: Sequence[Row]) -> Grid:
    """Methods of one kind of case, those that know the answer last, and what the tracks themselves miss."""
    seasons = list(dict.fromkeys(row["season"] for row in rows))
    order = {"product": 0, "baseline": 1, "oracle": 2}
    methods = sorted(dict.fromkeys((row["method"], row["role"]) for row in rows), key=lambda m: order[m[1]])
    lines = []
    for method, role in methods:
        name = method + (" *" if role == "oracle" else "")
        lines.append((name, *_method_cells([row for row in rows if row["method"] == method], seasons)))
    of_season = [[row for row in rows if row["season"] == season] for season in seasons]
    of_tracks = [f"{_mean(own, 'appearance_recall'):.3f} / {_mean(own, 'false_tracks'):.0f}" for own in of_season]
    lines.append(("(appearances covered / false tracks)", *of_tracks, *[""] * len(_AFTER_SEASONS)))
    title = f"{kind}, {tracks_of} tracks: B-cubed F with Unknown as clusters of their own / PCR (* knows the answer)"
    return Grid(title, ("method", *seasons, *_AFTER_SEASONS), tuple(lines))


def _method_cells(own: Sequence[Row], seasons: Sequence[str]) -> list[str]:
    """`MEASURE` and PCR of each season, means over cases and seeds; then `_AFTER_SEASONS`.

    Each season weighs the same in the mean; the spread is the standard deviation of the mean from seed to seed.
    """
    of_season = {s: [row for row in own if row["season"] == s] for s in seasons}
    means = {s: _mean(of_season[s], MEASURE) for s in seasons if of_season[s]}
    cells = [f"{means[s]:.3f} / {_mean(of_season[s], 'pcr'):.2f}" if s in means else "" for s in seasons]
    mean = f"{np.mean(list(means.values())):.3f}"
    of_seed = {}
    for seed in sorted({row["seed"] for row in own}):
        of_it = [[row for row in of_season[s] if row["seed"] == seed] for s in means]
        of_seed[seed] = np.mean([_mean(rows, MEASURE) for rows in of_it if rows])
    if len(of_seed) > 1:
        mean += f" ± {np.std(list(of_seed.values())):.3f}"
    if len(means) < len(seasons):
        mean += f" ({len(means)} of {len(seasons)})"
    worst = min(means, key=lambda s: means[s])
    shares = (f"{_mean(own, 'wcp'):.3f}", f"{_mean(own, 'unknown_share'):.3f}")
    others = (f"{_mean(own, 'clusters_of_false_tracks'):.1f}", f"{_mean(own, 'wall_s'):.2f}")
    return [*cells, mean, f"{means[worst]:.3f} {worst}", *shares, *others]


def _iterations(rows: Sequence[Row]) -> list[Grid]:
    """Scores after each iteration, and after how many the default stopped."""
    grids = []
    for kind, case, tracks_of, method in dict.fromkeys(
        (r["kind"], r["case"], r["tracks_of"], r["method"]) for r in rows if r["iteration"] is not None
    ):
        own = [r for r in rows if (r["case"], r["tracks_of"]) == (case, tracks_of) and r["kind"] == kind]
        every = [r for r in own if r["method"] == method and r["iteration"] is not None]
        seasons = list(dict.fromkeys(r["season"] for r in every))
        lines = []
        for number in sorted({r["iteration"] for r in every}):
            of_number = {s: [r for r in every if r["season"] == s and r["iteration"] == number] for s in seasons}
            cells = [_three(of_number[s]) if of_number[s] else "" for s in seasons]
            lines.append((str(number), *cells, f"{np.mean([_mean(r, MEASURE) for r in of_number.values() if r]):.3f}"))
        stops = {s: [r["iterations"] for r in own if r["method"] == "default" and r["season"] == s] for s in seasons}
        if any(stops.values()):
            lines.append(("default stopped after", *(", ".join(map(str, stops[s])) for s in seasons), ""))
        grids.append(
            Grid(
                f"{case}, {tracks_of} tracks: {method}: B-cubed F with Unknown as clusters of their own / WCP / PCR",
                ("iteration", *seasons, "mean F"),
                tuple(lines),
            )
        )
    return grids


def _three(rows: Sequence[Row]) -> str:
    return f"{_mean(rows, MEASURE):.3f} / {_mean(rows, 'wcp'):.3f} / {_mean(rows, 'pcr'):.2f}"


def _mean(rows: Sequence[Row], name: str) -> float:
    """Mean over rows; what is not defined, as all tracks are Unknown, counts 0."""
    return float(np.mean([row[name] or 0.0 for row in rows]))
