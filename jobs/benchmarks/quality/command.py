"""``python -m jobs.benchmarks quality``: any methods on any labelled seasons, from the same stored tracks and crops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from jobs.benchmarks.progress import tell
from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.folds import Folds, folds_hints, folds_note, make_folds, people_of, with_joined
from jobs.benchmarks.quality.footage.cases import KINDS, LONG, Case
from jobs.benchmarks.quality.footage.corruptions import KINDS as DEGRADED
from jobs.benchmarks.quality.footage.seasons import extraction_digest, find_labelled
from jobs.benchmarks.quality.gathering import Gathering, Joins, make_footages, plan_joins
from jobs.benchmarks.quality.held_out_calibration import Calibrations, calibrated, fit_on_others, needs_calibration
from jobs.benchmarks.quality.methods import KnownMethods, Method
from jobs.benchmarks.quality.model_selection import rows_of
from jobs.benchmarks.quality.report.comparison import comparison_grids
from jobs.benchmarks.quality.report.effort import effort_grids
from jobs.benchmarks.quality.report.reliability import reliability_grids, store_confidence
from jobs.benchmarks.quality.report.tables import ENDINGS, answer_file, print_grids, stem_of, store_rows, summaries
from jobs.benchmarks.quality.trial import Outcome, Trial, measure
from jobs.benchmarks.writable import require_file, require_folder
from vcn_ray.config import RunOptions
from vcn_ray.errors import OptionError
from vcn_ray.evaluate.ground_truth import read_ground_truth


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
    join: Sequence[str] = ()  # see `plan_joins`; a joined season more is asked for by each
    only: Sequence[str] = ()  # parts of names of seasons or cases: others are not measured
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
    kinds = _kinds([*request.cases, *([LONG] if request.join else [])])
    joins = plan_joins(request.join, kinds, folds)
    with_joins = with_joined(folds, joins)
    folder = request.folder
    require_folder("--folder", Path(folder))
    stem = stem_of(request.output or f"{request.folder}/quality")
    for ending in ENDINGS:
        require_file("--output" if request.output else "--folder", answer_file(stem, ending))
    fitting = [m for m in methods if request.calibration == "others" and needs_calibration(m)]
    errors: list[str] = []
    with bench.session(RunOptions(num_cpus=request.num_cpus, device="cpu")):
        footages = make_footages(seasons, kinds, folder, errors, bench)
        extractions = {extraction_digest(method.options(0)): method.options(0) for method in methods}
        gathering = Gathering(kinds, request.tracks, joins, people_of(folds, request.same_people, identities), folder)
        cases = gathering.cases(footages, extractions, errors, bench)
        calibrations = fit_on_others(fitting, cases, with_joins, errors, bench.pairs, bench.methods.models)
        asked = {key: [case for case in own if _is_asked_for(case, request.only)] for key, own in cases.items()}
        trials = list(_trials(request.seeds, methods, asked, kinds, fitting, calibrations, bench.methods))
        outcomes = _measured(trials, bench, errors)
    rows, problems = rows_of(outcomes, with_joins)
    rows = [row for row in rows if row["kind"] in kinds]
    store_rows(rows, stem)
    store_confidence(rows, stem)
    note = " ".join([_note(request, methods, kinds, folds), *joins_notes(joins, calibrations, fitting, with_joins)])
    grids = [*comparison_grids(rows), *summaries(rows, note.strip()), *reliability_grids(rows), *effort_grids(rows)]
    answer_file(stem, ".md").write_text("\n".join(grid.markdown() for grid in grids), encoding="utf-8")
    print_grids(grids)
    print(f"{len(rows)} rows in {stem}.parquet and .csv; these tables in {stem}.md")
    for error in [*errors, *problems]:
        tell(f"FAILED {error}")
    return not errors and not problems


def _kinds(wanted: Sequence[str]) -> list[str]:
    """The kinds of cases asked for; `OptionError` for one that does not exist."""
    known = [*KINDS, LONG, *DEGRADED]
    for kind in wanted:
        if kind not in [*known, "all"]:
            raise OptionError(f"--cases: no kind of case {kind!r}; there are: {'; '.join(known)}; all")
    return known if "all" in wanted else list(wanted)


def _is_asked_for(case: Case, only: Sequence[str]) -> bool:
    return not only or any(part in f"{case.of.footage.name}, {case.name}" for part in only)


def _measured(trials: Sequence[Trial], bench: Bench, errors: list[str]) -> list[Outcome]:
    """What came of the trials, those that are one under several names measured once; errors are listed instead."""
    alike = list(dict.fromkeys(trial.as_whole for trial in trials))
    found = bench.spread(partial(measure, known=bench.methods), alike, "methods on cases")
    outcome_of = dict(zip(alike, found, strict=True))
    for trial, outcome in outcome_of.items():
        if isinstance(outcome, str) or outcome.error:
            errors.append(f"{trial}: {outcome if isinstance(outcome, str) else outcome.trace or outcome.error}")
    own = [(trial, outcome_of[trial.as_whole]) for trial in trials]
    return [replace(outcome, trial=trial) for trial, outcome in own if not isinstance(outcome, str)]


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

    A method whose calibration is to be fitted gets the case's own, and no case that has none; but a joined season for
    which nothing is left to fit it to gets the built-in one.
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
                if calibration is None and not case.of.footage.joined:
                    continue
                ready = calibrated(method, calibration) if calibration else method
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


def joins_notes(joins: Joins, calibrations: Calibrations, fitting: Sequence[Method], folds: Folds) -> list[str]:
    """A sentence for each joined season: what it is joined of, and which calibration it gets where that is fitted.

    folds: those of joined seasons as well.
    """
    notes = []
    for name, seasons in joins.items():
        others = [season for season in folds if season not in folds[name] and season not in joins]
        own = f"fitted to {', '.join(others)}"
        if not any(season == name for _, _, season in calibrations):
            own = "built-in, whichever seasons it was fitted to: too little is left that is not in it"
        notes.append(f"{name}: {', '.join(seasons)}" + (f"; its calibration: {own}." if fitting else "."))
    return notes
