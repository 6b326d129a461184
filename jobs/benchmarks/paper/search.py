"""`method: paper` under many settings on labelled seasons: what each iteration finds, and how training went."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from jobs.benchmarks.paper.settings import Settings
from jobs.benchmarks.paper.tables import grids
from jobs.benchmarks.progress import tell
from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.folds import folds_note, make_folds
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.seasons import extraction_options, find_labelled
from jobs.benchmarks.quality.footage.title_tracks import match_table
from jobs.benchmarks.quality.report.tables import answer_file, print_grids, stem_of
from jobs.benchmarks.quality.trial import prepare_case
from jobs.benchmarks.writable import require_file, require_folder
from vcn_ray.config import Options, RunOptions, make_options
from vcn_ray.errors import VcnError
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.evaluate.report import score_tracks
from vcn_ray.models.loading import FaceModels
from vcn_ray.pipeline.adaptation_loop import adapt_and_cluster
from vcn_ray.pipeline.layout import step_of

_MEASURES = ("wcp", "pcr", "bcubed_f", "bcubed_f_all", "unknown_share")
_OF_TRAINING = ("teacher_entropy", "mean_output_entropy", "kl_teacher_student", "mean_loss")

#: One row per season, setting, seed and iteration.
COURSES = pa.schema(
    [
        *((name, pa.string()) for name in ("season", "setting", "options")),
        *((name, pa.int64()) for name in ("seed", "iteration", "clusters", "matched_pairs")),
        *((name, pa.float64()) for name in (*_MEASURES, *_OF_TRAINING)),
    ]
)


@dataclass(frozen=True)
class Request:
    """What is asked for on the command line."""

    seasons: Sequence[str]
    folder: str  # tracks and views are kept there; the answer, too, where `output` is None
    settings: Settings
    iterations: int = 10
    seeds: Sequence[int] = (0,)
    same_people: Sequence[str] = ()  # see `make_folds`
    output: str | None = None  # stem of the answer's files


@dataclass(frozen=True)
class Trial:
    """A setting on a season with a seed."""

    case: Case
    setting: str
    options: tuple[tuple[str, str], ...]  # beside `method: paper`
    seed: int

    def __str__(self) -> str:
        return f"{self.setting} on {self.case} (seed {self.seed})"

    def all_options(self, iterations: int) -> Options:
        """As many iterations as asked for, whatever settles; on one CPU thread."""
        limits = dict.fromkeys(("min_iterations", "max_iterations"), iterations)
        alone: dict[str, Any] = {"device": "cpu", "threads_per_title": 1, "seed": self.seed}
        return make_options({"method": "paper", **dict(self.options), **limits, **alone})


def search(request: Request, bench: Bench) -> bool:
    """Measure, store and print; returns whether all that was asked for could be measured.

    Raises `VcnError` where a season, a setting or a place to write to cannot be used at all, before any work.
    """
    seasons = find_labelled(request.seasons)
    folds = make_folds([footage.season for footage in seasons], request.same_people)
    require_folder("--folder", Path(request.folder))
    stem = stem_of(request.output or f"{request.folder}/paper")
    for ending in (".parquet", ".csv", ".md"):
        require_file("--output" if request.output else "--folder", answer_file(stem, ending))
    errors: list[str] = []
    rows: list[dict[str, Any]] = []
    with bench.session(RunOptions(device="cpu")):
        trials = []
        for footage in seasons:
            extracted = bench.extract(footage, extraction_options(make_options({"method": "paper"})), request.folder)
            case = Case(extracted, "whole", "whole", False)
            for name, options in request.settings.items():
                trials += [Trial(case, name, tuple(sorted(options.items())), seed) for seed in request.seeds]
        measure_one = partial(measure, iterations=request.iterations, models=bench.methods.models)
        for trial, found in zip(trials, bench.spread(measure_one, trials, "settings on seasons"), strict=True):
            if isinstance(found, str):
                errors.append(f"{trial}: {found}")
            else:
                rows += found
    table = pa.Table.from_pylist(rows, COURSES)
    pq.write_table(table, answer_file(stem, ".parquet"))
    pacsv.write_csv(table, answer_file(stem, ".csv"))
    if rows:
        found_grids = grids(rows, folds, folds_note(folds))
        answer_file(stem, ".md").write_text("\n".join(grid.markdown() for grid in found_grids), encoding="utf-8")
        print_grids(found_grids)
    print(f"{len(rows)} rows in {stem}.parquet and .csv; these tables in {stem}.md")
    for error in errors:
        tell(f"FAILED {error}")
    return not errors


def measure(trial: Trial, iterations: int, models: FaceModels) -> list[dict[str, Any]] | str:
    """The rows of a trial (`COURSES`), from the product's own loop; a sentence where it fails."""
    try:
        with tempfile.TemporaryDirectory(prefix="vcn-paper-") as folder:
            return _course(trial, iterations, models, Path(folder))
    except VcnError as error:
        return str(error)
    except Exception:
        return traceback.format_exc()


def _course(trial: Trial, iterations: int, models: FaceModels, folder: Path) -> list[dict[str, Any]]:
    work, labels = prepare_case(trial.case, trial.all_options(iterations), folder, models)
    adapt_and_cluster(work, device="cpu", threads=1, on_event=_nobody)
    truth = read_ground_truth(labels)
    faces = work.store.read_table("tracks/faces.parquet")
    matches = match_table(faces.filter(pc.is_valid(faces["track_id"])), truth)
    titles, identities = dict.fromkeys(matches.video, ""), len(set(truth.identity))
    rows = []
    for number in range(1, iterations + 1):
        content = work.store.read_json(f"{step_of(number)}/clustering.json")
        label = dict(zip(content["track_id"], content["labels"], strict=True))
        found = [label.get(track, -1) for track in matches.track_id.tolist()]
        scores = score_tracks(matches, [c if c >= 0 else None for c in found], titles, identities)
        training: Mapping[str, Any] = work.store.read_json(f"{step_of(number)}/iteration.json")
        rows.append(
            {
                "season": trial.case.of.footage.season,
                "setting": trial.setting,
                "options": ", ".join(f"{name}={value}" for name, value in trial.options),
                "seed": trial.seed,
                "iteration": number,
                "clusters": scores.clusters,
                **{name: getattr(scores, name) for name in _MEASURES},
                **{name: training[name] for name in ("matched_pairs", *_OF_TRAINING)},
            }
        )
    return rows


def _nobody(event: Mapping[str, Any]) -> None:
    """Nobody listens to the loop."""
