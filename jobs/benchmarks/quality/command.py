"""``python -m jobs.benchmarks quality``: any methods on any labelled seasons, from the same stored tracks and crops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from jobs.benchmarks.progress import tell
from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.folds import Folds, folds_hints, folds_note, make_folds
from jobs.benchmarks.quality.footage.cases import KINDS, Case, cases_of
from jobs.benchmarks.quality.footage.corruptions import KINDS as DEGRADED
from jobs.benchmarks.quality.footage.corruptions import Copy, degraded, make_copy
from jobs.benchmarks.quality.footage.seasons import Footage, extraction_digest, find_labelled
from jobs.benchmarks.quality.footage.title_tracks import TitleTracks
from jobs.benchmarks.quality.held_out_calibration import Calibrations, calibrated, fit_on_others, needs_calibration
from jobs.benchmarks.quality.methods import KnownMethods, Method
from jobs.benchmarks.quality.model_selection import rows_of
from jobs.benchmarks.quality.reliability import reliability_grids, store_confidence
from jobs.benchmarks.quality.tables import ENDINGS, answer_file, print_grids, stem_of, store_rows, summaries
from jobs.benchmarks.quality.trial import Trial, measure
from jobs.benchmarks.writable import require_file, require_folder
from vcn_ray.config import RunOptions
from vcn_ray.errors import OptionError, VcnError
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store


@dataclass(frozen=True)
class Request:
    """What is asked for on the command line."""

    seasons: Sequence[str]
    folder: str  # of all that is kept: degraded copies, tracks, views; the answer where `output` is None
    methods: Sequence[str] = ()  # see `KnownMethods.choose`
    given: dict[str, str] = field(default_factory=dict)  # options for all methods
    seeds: Sequence[int] = (0,)
    cases: Sequence[str] = ("whole",)
    tracks: str = "detected"  # "detected", "truth" or "both"
    iterations: bool = False
    calibration: str = "others"  # of the product: fitted to the other seasons, or "built-in"
    same_people: Sequence[str] = ()  # see `make_folds`
    output: str | None = None  # stem of the answer's files; None: `quality` in the folder
    num_cpus: int | None = None


def quality(request: Request, bench: Bench) -> bool:
    """Measure, store and print; returns whether all that was asked for could be measured.

    What fails is named on stderr, and the rest goes on. Raises `VcnError` where a season, a method, an option or a
    place to write to cannot be used at all, before any work.
    """
    methods = bench.methods.choose(request.methods, request.given, iterations=request.iterations)
    seasons = find_labelled(request.seasons)
    folds = make_folds([footage.season for footage in seasons], request.same_people)
    identities = {season.season: set(read_ground_truth(season.ground_truth).identity) for season in seasons}
    for hint in folds_hints(folds, identities):
        tell(f"NOTE {hint}")
    kinds = _kinds(request.cases)
    require_folder("--folder", Path(request.folder))
    stem = stem_of(request.output or f"{request.folder}/quality")
    for ending in ENDINGS:
        require_file("--output" if request.output else "--folder", answer_file(stem, ending))
    fitting = [m for m in methods if request.calibration == "others" and needs_calibration(m)]
    errors: list[str] = []
    with bench.session(RunOptions(num_cpus=request.num_cpus, device="cpu")):
        footages = make_footages(seasons, kinds, request.folder, errors, bench)
        cases = _cases(request, methods, footages, kinds, errors, bench)
        calibrations = fit_on_others(fitting, cases, folds, errors, bench.pairs, bench.methods.models)
        trials = list(_trials(request.seeds, methods, cases, kinds, fitting, calibrations, bench.methods))
        outcomes = list(bench.spread(partial(measure, known=bench.methods), trials, "methods on cases"))
    for trial, outcome in zip(trials, outcomes, strict=True):
        if isinstance(outcome, str) or outcome.error:
            errors.append(f"{trial}: {outcome if isinstance(outcome, str) else outcome.trace or outcome.error}")
    rows, problems = rows_of((outcome for outcome in outcomes if not isinstance(outcome, str)), folds)
    rows = [row for row in rows if row["kind"] in kinds]
    store_rows(rows, stem)
    store_confidence(rows, stem)
    grids = [*summaries(rows, _note(request, methods, kinds, folds)), *reliability_grids(rows)]
    answer_file(stem, ".md").write_text("\n".join(grid.markdown() for grid in grids), encoding="utf-8")
    print_grids(grids)
    print(f"{len(rows)} rows in {stem}.parquet and .csv; these tables in {stem}.md")
    for error in [*errors, *problems]:
        tell(f"FAILED {error}")
    return not errors and not problems


def _kinds(wanted: Sequence[str]) -> list[str]:
    """The kinds of cases asked for; `OptionError` for one that does not exist."""
    known = [*KINDS, *DEGRADED]
    for kind in wanted:
        if kind not in [*known, "all"]:
            raise OptionError(f"--cases: no kind of case {kind!r}; there are: {'; '.join(known)}; all")
    return known if "all" in wanted else list(wanted)


def make_footages(
    seasons: Sequence[Footage], kinds: Sequence[str], folder: str, errors: list[str], bench: Bench
) -> list[Footage]:
    """The seasons, and their degraded copies of these kinds, made by Ray tasks where the cache folder lacks them.

    What cannot be copied goes to `errors`.
    """
    footages: list[Footage] = list(seasons)
    copies: list[Copy] = []
    bad: set[str] = set()
    for footage in seasons:
        for kind in [kind for kind in DEGRADED if kind in kinds]:
            try:
                found, missing = degraded(footage, kind, folder)
            except VcnError as error:
                errors.append(f"{footage.name}, {kind}: {error}")
                continue
            footages.append(found)
            copies += missing
    for copy, problem in zip(copies, bench.spread(make_copy, copies, "degraded copies"), strict=True):
        if problem:
            errors.append(f"{copy}: {problem}")
            bad.add(copy.target)
    return [footage for footage in footages if not bad.intersection(footage.videos)]


def _cases(
    request: Request,
    methods: Sequence[Method],
    footages: Sequence[Footage],
    kinds: Sequence[str],
    errors: list[str],
    bench: Bench,
) -> dict[str, list[Case]]:
    """All cases by the digest of the extraction that a method needs; what cannot be extracted goes to `errors`."""
    needed = {extraction_digest(method.options(0)): method.options(0) for method in methods}
    wanted = {*kinds, "whole"}  # the whole case is what settings are chosen on
    cases: dict[str, list[Case]] = {key: [] for key in needed}
    for number, footage in enumerate(footages, start=1):
        tell(f"tracks and views of {footage.name} ({number} of {len(footages)})")
        truth = read_ground_truth(footage.ground_truth)
        for key, options in needed.items():
            try:
                extracted = bench.extract(footage, options, request.folder)
                tracks = TitleTracks.read(TitleWork(Store(extracted.work), options))
            except VcnError as error:
                errors.append(str(error))
                continue
            if request.tracks in ("detected", "both"):
                cases[key] += cases_of(extracted, tracks, truth, wanted)
            if request.tracks in ("truth", "both"):
                cases[key] += cases_of(extracted, tracks.regrouped(truth), truth, wanted, truth_tracks=True)
    return cases


def _trials(
    seeds: Sequence[int],
    methods: Sequence[Method],
    cases: Mapping[str, Sequence[Case]],
    kinds: Sequence[str],
    fitting: Sequence[Method],
    calibrations: Calibrations,
    known: KnownMethods,
) -> Iterator[Trial]:
    """Each method on each case with each seed; with one seed where the seed changes nothing.

    A method whose calibration is to be fitted gets the case's own, and no case that has none.
    """
    for method in methods:
        of_method = seeds if known.is_seeded(method) else seeds[:1]
        chosen_elsewhere = known.has_settings(method)
        digest = extraction_digest(method.options(0))
        for case in cases[digest]:
            if method.every_iteration and case.track_ids is not None:
                continue  # a table over iterations for each subset would tell nobody anything
            if case.kind not in kinds and not (case.kind == "whole" and chosen_elsewhere):
                continue
            ready = method
            if method in fitting:
                calibration = calibrations.get((digest, case.tracks, case.of.footage.season))
                if calibration is None:
                    continue
                ready = calibrated(method, calibration)
            for seed in of_method:
                yield Trial(ready, case, seed)


def _note(request: Request, methods: Sequence[Method], kinds: Sequence[str], folds: Folds) -> str:
    """What the tables' head says of how seasons were kept apart."""
    notes = []
    if any(method.role == "product" for method in methods):
        copies = [kind for kind in kinds if kind in DEGRADED]
        fitted = f"fitted to the other seasons{', their copies too' if copies else ''} (leave one season out)"
        built_in = "built-in, whichever seasons it was fitted to"
        given = "calibration" in request.given
        how = "as given by --set" if given else fitted if request.calibration == "others" else built_in
        notes.append(f"The product's calibration: {how}.")
    return " ".join([*notes, folds_note(folds)]).strip()
