"""The calibration that a season gets in the bench: fitted to all others, never to itself or to its people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from jobs.benchmarks.quality.folds import Folds
from jobs.benchmarks.quality.footage.cases import Case, title_of_case
from jobs.benchmarks.quality.footage.seasons import extraction_digest
from jobs.benchmarks.quality.footage.title_tracks import TitleTracks, load_title_views
from jobs.benchmarks.quality.methods import Method
from vcn_ray.calibration import Calibration
from vcn_ray.cluster.calibrating import LabelledPairs, fit_calibration
from vcn_ray.cluster.evidence import pair_clarity
from vcn_ray.cluster.similarity import directions_and_clarity
from vcn_ray.config import Options
from vcn_ray.errors import InputError, VcnError
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.models.loading import FaceModels
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store

#: By (digest of the extraction, whose tracks, season).
Calibrations = Mapping[tuple[str, str, str], Calibration]


def labelled_pairs(case: Case, options: Options) -> LabelledPairs:
    """All pairs of a case's true tracks that have crops, as the base model sees them.

    options: of the extraction that the case's tracks and views come from.
    """
    work = TitleWork(Store(case.of.work), options)
    truth = read_ground_truth(case.of.footage.ground_truth)
    tracks = title_of_case(case, TitleTracks.read(work), truth)
    views, matches = load_title_views(work), tracks.match(truth)
    track_id, track_of_crop = np.unique(tracks.crops["track_id"].to_numpy(), return_inverse=True)
    base = ((views.plain + views.flipped) / 2)[tracks.view_row]
    directions, clarity = directions_and_clarity(base, track_of_crop, len(track_id))
    identity = dict(zip(matches.track_id.tolist(), matches.identity, strict=True))
    who = np.array([identity[track] for track in track_id.tolist()], object)
    true = np.flatnonzero([name is not None for name in who])
    a, b = (true[side] for side in np.triu_indices(len(true), 1))
    cosine = np.einsum("pd,pd->p", directions[a], directions[b])
    return LabelledPairs(cosine, pair_clarity(clarity[a], clarity[b]), (who[a] == who[b]).astype(bool))


def typical_clarity(options: Options, models: FaceModels) -> float | None:
    """Of the face-ID network, None where nothing is known of it: what fitted calibrations are relative to."""
    known = models.calibration(options)
    return known.typical_clarity if known else None


def needs_calibration(method: Method) -> bool:
    """Whether a method is the product's and no calibration was given for it."""
    return method.role == "product" and "calibration" not in dict(method.settings)


def calibrated(method: Method, calibration: Calibration) -> Method:
    """The method with the option `calibration`."""
    return replace(method, settings=(*method.settings, ("calibration", calibration.model_dump_json())))


def fit_on_others(
    methods: Sequence[Method],
    cases: Mapping[str, Sequence[Case]],
    folds: Folds,
    errors: list[str],
    pairs_of: Callable[[Case, Options], LabelledPairs],
    models: FaceModels,
) -> Calibrations:
    """For each season the calibration fitted to the whole cases, degraded ones included, of seasons of other people.

    Detected and true tracks have calibrations of their own. What cannot be fitted goes to `errors`, once a season; a
    joined season goes without, as there may be nothing left to fit its calibration to.

    Args:
        methods: those that need a calibration.
        cases: by the digest of the extraction, as the bench has them.
        folds: of all seasons.
        errors: takes a sentence for each season without a calibration.
        pairs_of: a case's pairs, under the options of its extraction.
        models: the face models that options name.
    """
    found: dict[tuple[str, str, str], Calibration] = {}
    for digest, options in {extraction_digest(m.options(0)): m.options(0) for m in methods}.items():
        for tracks in dict.fromkeys(case.tracks for case in cases[digest]):
            own = [case for case in cases[digest] if case.tracks == tracks]
            pairs = [(case.of.footage.season, pairs_of(case, options)) for case in own if case.teaches]
            joined = {case.of.footage.season for case in own if case.of.footage.joined}
            for season in dict.fromkeys(case.of.footage.season for case in own):
                others = [of_other for name, of_other in pairs if name not in folds[season]]
                try:
                    if not others:
                        raise InputError("no season of other people; give one, or --calibration built-in")
                    found[digest, tracks, season] = fit_calibration(others, typical_clarity(options, models))
                except VcnError as error:
                    if season not in joined:
                        errors.append(f"calibration for {season}, {tracks} tracks, from the other seasons: {error}")
    return found
