"""What is measured on, from what is asked for: footage with its copies and joins, and the cases that they give."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from jobs.benchmarks.progress import tell
from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.folds import Folds, find_seasons
from jobs.benchmarks.quality.footage.cases import LONG, Case, cases_of
from jobs.benchmarks.quality.footage.corruptions import KINDS as DEGRADED
from jobs.benchmarks.quality.footage.corruptions import Copy, degraded, make_copy
from jobs.benchmarks.quality.footage.joined import join_seasons
from jobs.benchmarks.quality.footage.seasons import Extracted, Footage
from jobs.benchmarks.quality.footage.title_tracks import TitleTracks
from vcn_ray.config import Options
from vcn_ray.errors import OptionError, VcnError
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store

#: By name of a joined season, the seasons that it is joined of.
Joins = Mapping[str, tuple[str, ...]]

#: By season, who each of its labels is among all seasons.
People = Mapping[str, Mapping[str, str]]


def plan_joins(wanted: Sequence[str], kinds: Collection[str], folds: Folds) -> dict[str, tuple[str, ...]]:
    """The joined seasons that are asked for, by a name that no season has.

    Args:
        wanted: names of seasons each, separated by commas; none: one of all seasons, if `kinds` has `LONG`.
        kinds: of cases.
        folds: of all seasons.

    Raises `OptionError` for a name that is no season's, or a single one.
    """
    if LONG not in kinds:
        return {}
    groups = [tuple(find_seasons(text, folds, f"--join {text}")) for text in wanted]
    for text, group in zip(wanted, groups, strict=True):
        if len(group) < 2:
            raise OptionError(f"--join {text}: name two seasons or more, separated by commas")
    if not groups and len(folds) > 1:
        groups = [tuple(folds)]
    joins: dict[str, tuple[str, ...]] = {}
    for group in groups:
        number = 1 + len(joins)
        while (name := f"joined {number}") in {*folds, *joins}:
            number += 1
        joins[name] = group
    return joins


def make_footages(
    seasons: Sequence[Footage], kinds: Collection[str], folder: str, errors: list[str], bench: Bench
) -> list[Footage]:
    """The seasons, and their degraded copies of these kinds, made by Ray tasks where the cache folder lacks them.

    What cannot be copied goes to `errors`; where faces are as small as a copy's would be, that is told.
    """
    footages: list[Footage] = list(seasons)
    copies: list[Copy] = []
    bad: set[str] = set()
    for footage in seasons:
        for kind in [kind for kind in DEGRADED if kind in kinds]:
            try:
                made = degraded(footage, kind, folder)
            except VcnError as error:
                errors.append(f"{footage.name}, {kind}: {error}")
                continue
            if made is None:
                tell(f"NOTE {footage.name}: no copy {kind}, its faces are as small or the pictures would be too small")
                continue
            footages.append(made[0])
            copies += made[1]
    for copy, problem in zip(copies, bench.spread(make_copy, copies, "degraded copies"), strict=True):
        if problem:
            errors.append(f"{copy}: {problem}")
            bad.add(copy.target)
    return [footage for footage in footages if not bad.intersection(footage.videos)]


@dataclass(frozen=True)
class Gathering:
    """What cases are to be gathered from some footage."""

    kinds: Collection[str]
    tracks: str  # "detected", "truth" or "both"
    joins: Joins
    people: People
    folder: str  # of all that is kept

    def cases(
        self, footages: Sequence[Footage], extractions: Mapping[str, Options], errors: list[str], bench: Bench
    ) -> dict[str, list[Case]]:
        """All cases by the digest of the extraction, joined seasons last; what cannot be extracted goes to `errors`.

        extractions: options by their digest. The whole seasons are always there: settings are chosen on them.
        """
        cases: dict[str, list[Case]] = {key: [] for key in extractions}
        seasons: dict[str, dict[str, Extracted]] = {key: {} for key in extractions}
        for number, footage in enumerate(footages, start=1):
            tell(f"tracks and views of {footage.name} ({number} of {len(footages)})")
            for key, options in extractions.items():
                try:
                    extracted = bench.extract(footage, options, self.folder)
                    cases[key] += self._cases_of(extracted, options)
                except VcnError as error:
                    errors.append(str(error))
                    continue
                if not footage.degraded:
                    seasons[key][footage.season] = extracted
        for key, options in extractions.items():
            for name, names in self.joins.items():
                if set(names) <= set(seasons[key]):
                    parts = [seasons[key][season] for season in names]
                    cases[key] += self._cases_of(join_seasons(name, parts, options, self.people, self.folder), options)
        return cases

    def _cases_of(self, extracted: Extracted, options: Options) -> list[Case]:
        kinds = {*self.kinds, "whole"}
        truth = read_ground_truth(extracted.footage.ground_truth)
        tracks = TitleTracks.read(TitleWork(Store(extracted.work), options))
        found = []
        if self.tracks in ("detected", "both"):
            found += cases_of(extracted, tracks, truth, kinds)
        if self.tracks in ("truth", "both"):
            found += cases_of(extracted, tracks.regrouped(truth), truth, kinds, truth_tracks=True)
        return found
