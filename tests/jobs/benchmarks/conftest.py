"""A title for the tests of the bench, and a bench that works on it in this process."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tiny_title

from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.footage.cases import write_labels
from jobs.benchmarks.quality.footage.seasons import Extracted, Footage, find_labelled
from jobs.benchmarks.quality.methods import KnownMethods
from vcn_ray.evaluate.ground_truth import GroundTruth
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.pipeline.views import embed_view_chunk, plan_view_chunks
from vcn_ray.storage.store import Store


@pytest.fixture
def title(tmp_path: Path) -> Extracted:
    """`tiny_title` as a season called "tiny": twelve tracks of three people, extracted, each a shot of its own."""
    store = Store(str(tmp_path / "work"))
    tiny_title.make_title(store)
    work = TitleWork(store, tiny_title.tiny_options(), tiny_title.TINY_MODELS)
    for key in plan_view_chunks(work, "cpu"):
        embed_view_chunk(work, key, 1)
    season = tmp_path / "tiny"
    season.mkdir()
    (season / "a.mp4").write_bytes(b"not looked at")
    faces = store.read_table("tracks/faces.parquet")
    track = faces["track_id"].to_numpy()
    boxes = np.stack([faces[name].to_numpy() for name in "xywh"], axis=1).astype(np.float64)
    who = np.array([f"person {t % tiny_title.IDENTITIES}" for t in track], object)
    video = np.array(["a.mp4"] * len(track), object)
    write_labels(GroundTruth(video, faces["frame"].to_numpy(), boxes, who, track), season / "ground_truth.csv")
    return Extracted(find_labelled([str(season)])[0], store.url)


@pytest.fixture
def known() -> KnownMethods:
    """The bench's methods on the tiny network; every iteration: two of them."""
    return KnownMethods(tiny_title.TINY_MODELS, iterations=2)


@pytest.fixture
def bench(title: Extracted, known: KnownMethods) -> Bench:
    """A bench without Ray, with the title wherever something is to be extracted."""

    @contextmanager
    def no_ray(options: Any) -> Iterator[None]:
        yield

    def one_by_one(work: Callable[[Any], Any], jobs: Sequence[Any], what: str) -> list[Any]:
        return [work(job) for job in jobs]

    def extract(footage: Footage, options: Any, folder: str) -> Extracted:
        return Extracted(footage, title.work)

    return Bench(known, no_ray, one_by_one, extract)
