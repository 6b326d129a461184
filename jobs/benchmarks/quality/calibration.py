"""``python -m jobs.benchmarks calibration``: what a face-ID network's similarities are worth, from labelled seasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from jobs.benchmarks.progress import tell
from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.corruptions import KINDS
from jobs.benchmarks.quality.footage.seasons import find_labelled
from jobs.benchmarks.quality.gathering import make_footages
from jobs.benchmarks.quality.held_out_calibration import typical_clarity
from jobs.benchmarks.quality.report.tables import Grid, print_grids
from vcn_ray.calibration import Calibration
from vcn_ray.cluster.calibrating import ClarityBin, LabelledPairs, bins_of_clarity, fit_calibration
from vcn_ray.config import RunOptions, make_options
from vcn_ray.errors import OptionError, VcnError


def calibration(
    seasons: Sequence[str],
    degraded: Sequence[str],
    settings: Mapping[str, str],
    folder: str,
    num_cpus: int | None,
    bench: Bench,
) -> bool:
    """Print the fitted calibration as YAML for an options file, and how well it fits, by clarity, on stderr.

    Args:
        seasons: folders with videos and ground_truth.csv.
        degraded: kinds of degraded copies of them to fit to as well.
        settings: options of the product, such as another face-ID network.
        folder: of tracks, views and degraded copies; what is there is used.
        num_cpus: of the local Ray; None: all.
        bench: what does the work.

    Returns whether all seasons could be used; what fails is named on stderr, and the rest goes on. Raises `VcnError`
    where a season or an option cannot be used at all, or too little is left.
    """
    for kind in degraded:
        if kind not in KINDS:
            raise OptionError(f"--degraded: no kind of copy {kind!r}; there are: {', '.join(KINDS)}")
    options = make_options(dict(settings))
    labelled = find_labelled(seasons)
    errors: list[str] = []
    found: dict[str, LabelledPairs] = {}
    with bench.session(RunOptions(num_cpus=num_cpus, device="cpu")):
        footages = make_footages(labelled, degraded, folder, errors, bench)
        for number, footage in enumerate(footages, start=1):
            tell(f"tracks and views of {footage.name} ({number} of {len(footages)})")
            try:
                case = Case(bench.extract(footage, options, folder), "whole", "whole", truth_tracks=False)
                found[footage.name] = bench.pairs(case, options)
            except VcnError as error:
                errors.append(str(error))
    for problem in errors:
        tell(f"FAILED {problem}")
    pairs = list(found.values())
    fitted = fit_calibration(pairs, typical_clarity(options, bench.methods.models))
    print(as_yaml(fitted, list(found)), end="")
    print_grids([_grid(bins_of_clarity(pairs, fitted))], stderr=True)
    return not errors


def as_yaml(fitted: Calibration, seasons: Sequence[str]) -> str:
    """The calibration as part of an options file, with what it was fitted to."""
    return f"# Fitted to: {'; '.join(seasons)}\n" + yaml.safe_dump(
        {"calibration": fitted.model_dump()}, sort_keys=False
    )


def _grid(bins: Sequence[ClarityBin]) -> Grid:
    header = ("pairs of", "clarity, of the typical one", "pairs", "mean", "fitted mean", "spread", "fitted spread")
    rows = []
    for b in bins:
        of_pairs = ("one person" if b.same else "strangers", f"{b.lowest:.2f} to {b.highest:.2f}", str(b.pairs))
        rows.append((*of_pairs, *(f"{value:.3f}" for value in (b.mean, b.curve_mean, b.std, b.curve_std))))
    return Grid("Cosine of two tracks by clarity, each season weighing the same", header, tuple(rows))
