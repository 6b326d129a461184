"""The bench's answer: a long table to keep, and short ones to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from benchmarks.quality.choice import KEYS, MEASURE, Row
from rich.console import Console
from rich.table import Table

from vcn_ray.evaluate.report import Scores

_TEXT = ("season", "degraded", "kind", "case", "tracks_of", "method", "role", "setting")
_OF_TRACKS = ("tracks", "false_tracks", "clusters", "unknown", "identities_found", "clusters_of_false_tracks")
_COUNTS = ("seed", "iteration", "iterations", *_OF_TRACKS)
_COLUMNS = (*KEYS, "tracks", "false_tracks", *(f.name for f in fields(Scores)))

#: One row per season, case, method and seed (and iteration).
QUALITY = pa.schema(
    [
        (name, pa.string() if name in _TEXT else pa.int64() if name in _COUNTS else pa.float64())
        for name in dict.fromkeys(_COLUMNS)
    ]
)


@dataclass(frozen=True)
class Grid:
    """A table of texts with a title."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As a Markdown table under a heading."""
        lines = [self.header, tuple("---" for _ in self.header), *self.rows]
        return "\n".join([f"### {self.title}", "", *("| " + " | ".join(line) + " |" for line in lines), ""])

    def rich(self) -> Table:
        """For a terminal."""
        table = Table(*self.header, title=self.title, title_justify="left")
        for row in self.rows:
            table.add_row(*row)
        return table


def store_rows(rows: Sequence[Row], stem: Path) -> None:
    """Write the long table as STEM.parquet and STEM.csv (`QUALITY`)."""
    table = pa.Table.from_pylist(list(rows), QUALITY)
    stem.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, stem.with_suffix(".parquet"))
    pacsv.write_csv(table, stem.with_suffix(".csv"))


def print_grids(grids: Iterable[Grid]) -> None:
    """Print them as wide as they are, also where the output is no terminal."""
    for grid in grids:
        widths = (max(map(len, column)) for column in zip(grid.header, *grid.rows, strict=True))
        Console(width=max(100, 2 + sum(width + 3 for width in widths))).print(grid.rich())


def summaries(rows: Sequence[Row]) -> list[Grid]:
    """A table per kind of case and whose tracks: methods down, seasons across; then the one over iterations."""
    answers = [row for row in rows if row["iteration"] is None]
    grids = []
    for kind, tracks_of in dict.fromkeys((row["kind"], row["tracks_of"]) for row in answers):
        grids.append(
            _summary(kind, tracks_of, [r for r in answers if (r["kind"], r["tracks_of"]) == (kind, tracks_of)])
        )
    grids += _iterations(rows)
    return grids


def _summary(kind: str, tracks_of: str, rows: Sequence[Row]) -> Grid:
    """Cells: `MEASURE` and PCR, means over cases and seeds; the spread is that of the mean F from seed to seed."""
    seasons = list(dict.fromkeys(row["season"] for row in rows))
    order = {"product": 0, "baseline": 1, "oracle": 2}
    methods = sorted(dict.fromkeys((row["method"], row["role"]) for row in rows), key=lambda m: order[m[1]])
    lines = []
    for method, role in methods:
        own = [row for row in rows if row["method"] == method]
        of_season = {s: [row for row in own if row["season"] == s] for s in seasons}
        means = {s: _mean(of_season[s], MEASURE) for s in seasons if of_season[s]}
        seeds = sorted({row["seed"] for row in own})
        by_seed = [
            np.mean([_mean([r for r in of_season[s] if r["seed"] == seed], MEASURE) for s in means]) for seed in seeds
        ]
        cells = [f"{means[s]:.3f} / {_mean(of_season[s], 'pcr'):.2f}" if s in means else "" for s in seasons]
        worst = min(means, key=lambda s: means[s])
        mean, spread = np.mean(list(means.values())), f" ± {np.std(by_seed):.3f}" if len(seeds) > 1 else ""
        partial = f" ({len(means)} of {len(seasons)})" if len(means) < len(seasons) else ""
        unknown, wall_s = _mean(own, "unknown_share"), _mean(own, "wall_s")
        lines.append(
            (
                method + (" *" if role == "oracle" else ""),
                *cells,
                f"{mean:.3f}{spread}{partial}",
                f"{means[worst]:.3f} {worst}",
                f"{_mean(own, 'wcp'):.3f}",
                f"{unknown:.3f}",
                f"{wall_s:.2f}",
            )
        )
    title = f"{kind}, {tracks_of} tracks: B-cubed F with Unknown as clusters of their own / PCR (* knows the answer)"
    return Grid(title, ("method", *seasons, "mean F", "worst F", "WCP", "Unknown", "seconds"), tuple(lines))


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
