"""How long corrections hold: made once by the ground truth, then held against runs with other options and episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs.benchmarks.corrections.held_corrections import Held, found_so, held_corrections, meant_by, print_failing
from jobs.benchmarks.corrections.runs import copy_results, run_titles
from jobs.benchmarks.corrections.truth_teller import TruthTeller
from jobs.benchmarks.corrections.truthful_corrections import correct_by_truth
from jobs.benchmarks.progress import tell
from vcn_ray.corrections.applying import apply_corrections
from vcn_ray.corrections.correction import Correction
from vcn_ray.corrections.correction_file import CORRECTIONS_KEY, read_corrections
from vcn_ray.errors import InputError
from vcn_ray.review.stored_season import StoredSeason
from vcn_ray.storage.store import Store

_TITLE = "season"

#: Changes nothing that is there already, so it starts anew, with nothing but the corrections.
_SHARDS = "window_s"

#: What is another in a later run, by the name of its row.
_OPTIONS: dict[str, list[str]] = {
    "the same": [],
    _SHARDS: ["window_s=7"],
    "seed": ["seed=1"],
    "crops": ["sample_every_frames=7"],
    "detector": ["detect_every_frames=1", "detect_max_side_px=480"],
}


@dataclass(frozen=True)
class _Later:
    """A later run."""

    name: str
    titles: dict[str, list[str]]  # videos of each title
    settings: list[str]  # NAME=VALUE


def corrections_hold(
    videos: Sequence[str], ground_truth: str, folder: str, count: int, settings: Sequence[str], seed: int
) -> None:
    """Print how many corrections hold in later runs, and name those that do not.

    The season is all videos but the last as one title; the last comes later, as a part of that title and as one of its
    own. What is in the folder already is not done again.

    Args:
        videos: two or more files.
        ground_truth: CSV of all of them.
        folder: for all results.
        count: corrections.
        settings: NAME=VALUE of all runs.
        seed: of which tracks are corrected.
    """
    if len(videos) < 2:
        raise InputError("corrections-hold needs two videos or more: the last one is the episode that comes later")
    paths = [str(Path(video).resolve()) for video in videos]
    root, base = Path(folder), Store(Path(folder) / "base")
    first = {_TITLE: paths[:-1]}
    if not read_corrections(base):
        tell("the season that is corrected")
        run_titles(first, base, root / "base.log", settings)
        season = StoredSeason(base)
        correct_by_truth(season, TruthTeller(season.places, len(season.found), ground_truth), count, seed)
    season = StoredSeason(base)
    truth = TruthTeller(season.places, len(season.found), ground_truth)
    corrections = read_corrections(base)
    meant = meant_by(season, truth, corrections)
    kinds = ", ".join(f"{n} {kind}" for kind, n in Counter(correction.kind.value for correction in corrections).items())
    print(f"{len(corrections)} corrections: {kinds}")
    table = Table("run", "hold", "found so", "tracks gone", "of others", "problems", "F as found", "F", "seconds")
    failing = {"corrected": _row(table, "corrected", season, ground_truth, corrections, meant, 0.0)}
    later = [_Later(name, first, options) for name, options in _OPTIONS.items()]
    later += [_Later("episode in the title", {_TITLE: paths}, [])]
    later += [_Later("episode as a title", first | {"next": paths[-1:]}, [])]
    for one in later:
        tell(one.name)
        out = Store(root / one.name.replace(" ", "-"))
        if not out.exists(CORRECTIONS_KEY):
            if one.name == _SHARDS:
                out.write_bytes(CORRECTIONS_KEY, base.read_bytes(CORRECTIONS_KEY))
            else:
                copy_results(base, out)
        seconds = run_titles(one.titles, out, root / f"{out.name}.log", [*settings, *one.settings])
        failing[one.name] = _row(table, one.name, StoredSeason(out), ground_truth, corrections, meant, seconds)
    Console(width=150).print(table)
    for name, held in failing.items():
        print(f"{name}:")
        print_failing(held)


def _row(
    table: Table,
    name: str,
    season: StoredSeason,
    ground_truth: str,
    corrections: Sequence[Correction],
    meant: Mapping[object, str | None],
    seconds: float,
) -> list[Held]:
    """Add what became of the corrections in a run."""
    truth = TruthTeller(season.places, len(season.found), ground_truth)
    held = held_corrections(season, truth, corrections, meant)
    corrected = apply_corrections(season.found, season.places, corrections)
    anchors = sum(len(one.correction.tracks) + len(one.correction.others) for one in held)
    found, delivered = truth.scores(season.found.member), truth.scores(corrected.member)
    table.add_row(
        name,
        f"{sum(one.holds for one in held)} of {len(held)}",
        found_so(held),
        f"{sum(one.gone for one in held)} of {anchors}",
        str(sum(one.astray for one in held)),
        str(sum(one.problem is not None for one in held)),
        f"{found.bcubed_f_all:.3f}",
        f"{delivered.bcubed_f_all:.3f}",
        f"{seconds:.0f}",
    )
    return held
