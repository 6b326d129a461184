"""Makes the programs of jobs/ importable, as they find one another when they are run; a title for their tests."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support import tiny_title

from jobs.benchmarks.quality import command, methods
from jobs.benchmarks.quality.cases import write_labels
from jobs.benchmarks.quality.seasons import Extracted, Footage, find_labelled
from vcn_ray.evaluate.ground_truth import GroundTruth
from vcn_ray.pipeline.views import embed_view_chunk, plan_view_chunks
from vcn_ray.storage.store import Store


@pytest.fixture
def title(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Extracted:
    """`tiny_title` as a season called "tiny": twelve tracks of three people, extracted, each a shot of its own."""
    tiny_title.use_tiny_network(monkeypatch.setattr)
    pack = SimpleNamespace(recognition_threshold=0.3)
    monkeypatch.setattr(methods, "pack_of", lambda options: pack)
    store = Store(str(tmp_path / "work"))
    tiny_title.make_title(store)
    for key in plan_view_chunks(store, tiny_title.tiny_options(), "cpu"):
        embed_view_chunk(store, tiny_title.tiny_options(), key, 1)
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
def in_process(title: Extracted, monkeypatch: pytest.MonkeyPatch) -> None:
    """`quality` without Ray, and with the title wherever something is to be extracted."""

    @contextmanager
    def no_ray(options: Any) -> Iterator[None]:
        yield

    def one_by_one(work: Callable[[Any], Any], jobs: Sequence[Any], what: str) -> list[Any]:
        return [work(job) for job in jobs]

    def extract(footage: Footage, options: Any, folder: str) -> Extracted:
        return Extracted(footage, title.work)

    for name, stand_in in (("ray_session", no_ray), ("spread", one_by_one), ("extract", extract)):
        monkeypatch.setattr(command, name, stand_in)
