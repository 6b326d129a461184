"""Methods over all kinds of cases, a title at a time: mean and worst, and against plain average linkage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from jobs.benchmarks.quality.footage.corruptions import FACES_PX
from jobs.benchmarks.quality.model_selection import Row
from jobs.benchmarks.quality.report.tables import Grid
from jobs.benchmarks.quality.trial import MEASURE, WITH_MISSED

#: What any method is held against: what everybody has, and what nobody has who does not know the answer.
OWN_THRESHOLD, BEST_CUT = "HAC at own threshold", "HAC at best threshold with cannot-link"

#: A loss of F by more than this against `OWN_THRESHOLD` counts.
_LOSS = 0.02

_ORDER = {"product": 0, "baseline": 1, "oracle": 2}

#: (season, degraded, case): a title.
Title = tuple[str, str, str]


def comparison_grids(rows: Sequence[Row]) -> list[Grid]:
    """For detected and for true tracks: methods down and kinds across, then the product against HAC."""
    answers = [row for row in rows if row["iteration"] is None]
    grids: list[Grid] = []
    for tracks_of in dict.fromkeys(row["tracks_of"] for row in answers):
        own = [row for row in answers if row["tracks_of"] == tracks_of]
        grids += [_overview(own, tracks_of), *_against_hac(own, tracks_of)]
    return grids


def scores_of(rows: Sequence[Row], kind: str, method: str) -> dict[Title, float]:
    """Mean over the seeds of `MEASURE` of each title of a kind; of small faces the one where missed ones count."""
    measure = WITH_MISSED if kind in FACES_PX else MEASURE
    found: dict[Title, list[float]] = {}
    for row in rows:
        if (row["kind"], row["method"]) == (kind, method):
            found.setdefault((row["season"], row["degraded"], row["case"]), []).append(row[measure] or 0.0)
    return {title: float(np.mean(values)) for title, values in found.items()}


def _overview(rows: Sequence[Row], tracks_of: str) -> Grid:
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    methods = sorted(dict.fromkeys((row["method"], row["role"]) for row in rows), key=lambda one: _ORDER[one[1]])
    counts = [str(len({(row["season"], row["case"]) for row in rows if row["kind"] == kind})) for kind in kinds]
    lines = [("(titles)", *counts, *[""] * 2)]
    for method, role in methods:
        cells = [_mean_and_worst(scores_of(rows, kind, method)) for kind in kinds]
        own = [row for row in rows if row["method"] == method]
        false = f"{np.mean([row['clusters_of_false_tracks'] for row in own]):.2f}"
        name = method + (" *" if role == "oracle" else "")
        lines.append((name, *cells, false, f"{np.mean([row['wall_s'] for row in own]):.1f}"))
    title = f"all kinds, {tracks_of} tracks: B-cubed F with Unknown as clusters of their own, mean / worst title"
    note = "Each title counts once, seeds averaged. False clusters and seconds: of the mean title of all kinds."
    return Grid(title, ("method", *kinds, "false clusters", "seconds"), tuple(lines), _noted(note, kinds))


def _against_hac(rows: Sequence[Row], tracks_of: str) -> list[Grid]:
    """Each of the product's methods on each kind, over the titles that HAC has been measured on, too."""
    lines = []
    methods = dict.fromkeys(row["method"] for row in rows if row["role"] == "product")
    for kind in dict.fromkeys(row["kind"] for row in rows):
        usual, best = (scores_of(rows, kind, name) for name in (OWN_THRESHOLD, BEST_CUT))
        for method in methods:
            own = {title: score for title, score in scores_of(rows, kind, method).items() if title in usual}
            if own:
                lines.append((kind, method, *_cells_against(own, usual, best)))
    header = ("kind", "method", "titles", "mean", "HAC at own threshold", "HAC's best cut *", "better than best cut")
    losses = (f"below own threshold by > {_LOSS:g}", "most (title)")
    title = f"against HAC, {tracks_of} tracks: B-cubed F with Unknown as clusters of their own (* knows the answer)"
    return [Grid(title, (*header, *losses), tuple(lines), _noted("", [line[0] for line in lines]))] if lines else []


def _noted(note: str, kinds: Collection[str]) -> str:
    """The note, and what F is where faces are small."""
    missed = "Of small faces: F where appearances that no track covers count as Unknown, too."
    return f"{note} {missed}".strip() if FACES_PX.keys() & set(kinds) else note


def _cells_against(own: Mapping[Title, float], usual: Mapping[Title, float], best: Mapping[Title, float]) -> list[str]:
    means = [f"{np.mean([scores[title] for title in own]):.3f}" for scores in (own, usual)]
    bounds = [title for title in own if title in best]
    means.append(f"{np.mean([best[title] for title in bounds]):.3f}" if bounds else "")
    better = f"{sum(own[title] > best[title] for title in bounds)} of {len(bounds)}"
    losses = {title: usual[title] - own[title] for title in own}
    most = max(losses, key=lambda title: losses[title])
    of_most = f"{losses[most]:.3f} ({_named(most)})" if losses[most] > 0 else "none"
    return [str(len(own)), *means, better, str(sum(loss > _LOSS for loss in losses.values())), of_most]


def _mean_and_worst(scores: Mapping[Title, float]) -> str:
    if not scores:
        return ""
    worst = min(scores, key=lambda title: scores[title])
    return f"{np.mean(list(scores.values())):.3f} / {scores[worst]:.3f} {worst[0]}"


def _named(title: Title) -> str:
    season, degraded, case = title
    return f"{season}, {case}" if case not in ("whole", degraded) else season
