"""Labelled seasons, and the product's own stage 1 on them, kept so that a second call extracts nothing again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.benchmarks.progress import tell
from vcn_ray.config import Options, make_options
from vcn_ray.errors import InputError, VcnError
from vcn_ray.execution.factory import make_executor
from vcn_ray.inputs.discovery import distinct_names, expand
from vcn_ray.inputs.resolve import find_season
from vcn_ray.season.run import run_season
from vcn_ray.storage.store import Store, digest

_TITLE = "season"

#: Options of adaptation that the cached views depend on; all others may differ between methods on the same views.
_OF_VIEWS = (
    "cached_global_views",
    "cached_local_views",
    "max_crops_per_track",
    "quality_passes",
    "quality_dropout",
    "views_precision",
)


@dataclass(frozen=True)
class Footage:
    """Videos with ground truth: a season as it was given, a degraded copy of one, or several joined."""

    season: str  # name of the folder that was given: what is left out together, copies included
    degraded: str  # kind of `corruptions.KINDS`; "" for the season itself
    videos: tuple[str, ...]
    ground_truth: str  # path of the CSV
    joined: tuple[str, ...] = ()  # the seasons that it is joined of

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.season}, {self.degraded}" if self.degraded else self.season


@dataclass(frozen=True)
class Extracted:
    """Stage 1 of some footage: the title's working store, with ``tracks/`` and ``views/``."""

    footage: Footage
    work: str  # URL


def find_labelled(folders: Sequence[str]) -> list[Footage]:
    """The seasons in these folders, each with its videos and ``ground_truth.csv``.

    A file among them is told and left out: a shell's pattern for folders takes a README, too. Raises `InputError` where
    a folder lacks either, there is none, or two folders have one name: results go by it.
    """
    found: dict[str, Footage] = {}
    for given in folders:
        folder = Path(given).expanduser().absolute()
        if folder.is_file():
            tell(f"NOTE {given} is a file, no season's folder: left out")
            continue
        truth = folder / "ground_truth.csv"
        if not truth.is_file():
            raise InputError(f"{given}: a season to measure on is a folder with videos and a ground_truth.csv")
        if folder.name in found:
            raise InputError(f"{given}: another season is called {folder.name}, too; rename one of the folders")
        found[folder.name] = Footage(folder.name, "", tuple(expand(str(folder))), str(truth))
    if not found:
        raise InputError(f"{', '.join(folders)}: no folder; a season is a folder with videos and a ground_truth.csv")
    return list(found.values())


def extraction_options(options: Options) -> Options:
    """The options of stage 1 and of the cached views alone, for methods that share them: on a CPU, no adaptation.

    Seeds are not among them: all seeds of a method work on the views of seed 0, so the spread over seeds is that of
    heads, pairs and order.
    """
    alone = {"max_iterations": 0, "depth": "head", "device": "cpu", "threads_per_title": 1}
    return make_options(_extraction_settings(options) | alone)


def extraction_digest(options: Options) -> str:
    """Equal for options that the same tracks and views do for."""
    return digest(_extraction_settings(options))


def extract(footage: Footage, options: Options, cache: str, executor: str = "ray") -> Extracted:
    """Run the product's pipeline without adaptation, as one title, unless the cache has it.

    Args:
        footage: what to extract.
        options: of any method, see `extraction_options`.
        cache: folder of all that is kept; the result's folder in it is named by season and a digest of the videos'
            content and of the options.
        executor: by name, who does the work.

    Raises `VcnError` where the pipeline fails, with its sentence.
    """
    name = f"{footage.season}-{footage.degraded or 'original'}"
    name += f"-{digest(extraction_digest(options), videos_digest(footage))}"
    out = Store(str(Path(cache).absolute() / "tracks" / name))
    outcome = run_season(
        find_season(footage.videos, _TITLE), out, extraction_options(options), executor=make_executor(executor)
    )
    if outcome.failed:
        raise VcnError(f"{footage.name}: {outcome.failed[0].error}")
    return Extracted(footage, out.child("titles", outcome.titles[0].slug, "work").url)


def videos_digest(footage: Footage) -> str:
    """Digest of names, sizes and content of the videos."""
    parts = []
    for video, name in zip(footage.videos, distinct_names(footage.videos, stems=False), strict=True):
        with open(video, "rb") as file:
            parts.append([name, Path(video).stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()])
    return digest(parts)


def _extraction_settings(options: Options) -> dict[str, Any]:
    """Stage 1's options and the views', by name."""
    views = {name: getattr(options.adapt, name) for name in _OF_VIEWS}
    return options.models.model_dump() | options.tracks.model_dump() | views
