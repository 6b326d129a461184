"""The loop of a title: it ends, repeats itself to the byte, resumes where it stopped, and redoes what changed."""

from types import SimpleNamespace

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch

from vcn_ray.config import make_options
from vcn_ray.schemas import CANNOT_LINK, CLUSTERS, CROPS, FACES, ITERATIONS, STAGE1_FACES, STAGE1_TRACKS
from vcn_ray.season import loop, titledata
from vcn_ray.storage import Store

_TRACKS, _IDENTITIES, _CROPS_PER_TRACK = 12, 3, 4


class _TinyNetwork(torch.nn.Module):
    """Stands in for a face-ID network: colours of a coarse grid, projected to 16 numbers."""

    def __init__(self):
        super().__init__()
        weight = torch.randn(16, 3 * 16, generator=torch.Generator().manual_seed(0))
        self.neck = torch.nn.Linear(48, 16)
        self.neck.weight.data, self.neck.bias.data = weight, torch.zeros(16)

    def trunk(self, crops):
        return torch.nn.functional.adaptive_avg_pool2d(crops / 127.5 - 1, 4).flatten(1)

    def forward(self, crops):
        return self.neck(self.trunk(crops))


@pytest.fixture
def title(tmp_path, monkeypatch):
    """Twelve tracks of three "people" (random grids of colours), two of them seen together; a tiny network."""
    pack = SimpleNamespace(face_id_digest="tiny", face_id=_TinyNetwork)
    for module in (loop, titledata):
        monkeypatch.setattr(module, "pack_of", lambda options: pack)
    monkeypatch.setattr(loop, "base_network", lambda options: _TinyNetwork().eval())
    monkeypatch.setattr(titledata, "_CHUNK_CROPS", 20)
    rng = np.random.default_rng(0)
    people = rng.integers(0, 255, (_IDENTITIES, 4, 4, 3))
    crops, faces, tracks = [], [], []
    for track in range(_TRACKS):
        for n in range(_CROPS_PER_TRACK):
            grid = np.clip(people[track % _IDENTITIES] + rng.normal(0, 25, (4, 4, 3)), 0, 255).astype(np.uint8)
            _, jpeg = cv2.imencode(".jpg", cv2.resize(grid, (112, 112), interpolation=cv2.INTER_NEAREST))
            frame = 100 * track + 12 * n
            crops.append((track, "a.mp4", frame, 0.9, 1.0, jpeg.tobytes()))
            faces.append(("a.mp4", frame, frame / 25, 0, 1, 1, 9, 9, 0.9, [0.0] * 10, 1.0, None, track))
        tracks.append(("a.mp4", 0, track, 100 * track, 100 * track + 36, 4.0 * track, 4.0 * track + 1, 4, 4, None))

    def table(rows, schema):
        return pa.table(dict(zip(schema.names, map(list, zip(*rows, strict=True)), strict=True)), schema=schema)

    store = Store(tmp_path / "work")
    store.write_table("tracks/crops.parquet", table(crops, CROPS))
    store.write_table("tracks/faces.parquet", table(faces, STAGE1_FACES))
    store.write_table("tracks/tracks.parquet", table(tracks, STAGE1_TRACKS))
    store.write_table("tracks/cannot_link.parquet", pa.table({"track_a": [0], "track_b": [1]}, schema=CANNOT_LINK))
    store.mark_done("tracks", "made for a test")
    return store


def _run(store, settings=None, report=lambda _: None):
    options = make_options(
        {
            "first_epochs": 2,
            "later_epochs": 2,
            "min_batches_per_epoch": 1,
            "batch_pairs": 16,
            "max_iterations": 4,
            **(settings or {}),
        }
    )
    for key in loop.plan_view_chunks(store, options, "cpu"):
        loop.embed_view_chunk(store, options, key, 1)
    loop.adapt_and_cluster(store, options, device="cpu", threads=1, report=report)
    return options


def _results(store, tmp_path, name):
    results = Store(tmp_path / name)
    loop.finish_title(store, "t", results, {"a.mp4": 0.04})
    return results


def _bytes(store, keys):
    return {key: store.read_bytes(key) for key in keys}


def _clusterings(store):
    return _bytes(store, [key for key in store.keys("adapt/") if key.endswith("clustering.json")])


def test_people_are_found_and_every_table_keeps_its_schema(title, tmp_path):
    _run(title)
    results = _results(title, tmp_path, "out")
    tracks = results.read_table("tracks.parquet")
    cluster = tracks["cluster_id"].to_pylist()
    assert [len({cluster[t] for t in range(i, _TRACKS, _IDENTITIES)}) for i in range(_IDENTITIES)] == [1, 1, 1]
    assert len(set(cluster)) == _IDENTITIES
    for name, schema in {"faces": FACES, "clusters": CLUSTERS, "iterations": ITERATIONS}.items():
        assert results.read_table(f"{name}.parquet").schema == schema


def test_base_model_is_iteration_zero_and_loss_is_known_after_it(title, tmp_path):
    _run(title)
    rows = _results(title, tmp_path, "out").read_table("iterations.parquet").to_pylist()
    assert [row["iteration"] for row in rows] == list(range(len(rows)))
    assert rows[0]["mean_loss"] is None
    assert all(row["mean_loss"] > 0 for row in rows[1:])


def test_it_stops_when_two_adapted_clusterings_agree(title):
    _run(title, {"max_iterations": 10})
    steps = list(_clusterings(title).values())
    assert 3 <= len(steps) < 11


def test_limit_of_iterations_is_kept_and_zero_means_the_base_model(title):
    _run(title, {"max_iterations": 0})
    assert len(_clusterings(title)) == 1


@pytest.mark.parametrize(
    ("settings", "epoch"), [({}, 1), ({"depth": "full"}, 0), ({"depth": "full"}, 1), ({"method": "paper"}, 1)]
)
def test_a_run_that_dies_within_an_iteration_resumes_to_the_same_bytes(title, tmp_path, monkeypatch, settings, epoch):
    settings = {"max_iterations": 3, "head_only_epochs": 1, **settings}
    whole = Store(tmp_path / "whole")
    for key in title.keys(""):
        whole.write_bytes(key, title.read_bytes(key))
    _run(whole, settings)

    class WorkerDiedError(Exception):
        """Stands for the death of the worker."""

    def die(news):
        if news.get("iteration") == 2 and news.get("epoch") == epoch:
            raise WorkerDiedError

    with pytest.raises(WorkerDiedError):
        _run(title, settings, die)
    done_before = set(_clusterings(title))
    assert len(done_before) == 2
    written = []
    write = Store.write_bytes
    monkeypatch.setattr(
        Store, "write_bytes", lambda self, key, content: (written.append(key), write(self, key, content))
    )
    _run(title, settings)
    assert not done_before & set(written)
    assert _clusterings(title) == _clusterings(whole)


def test_nothing_is_done_twice(title):
    _run(title)
    before = {key: title.path(key).stat().st_mtime_ns for key in title.keys("")}
    news = []
    _run(title, report=news.append)
    changed = {key for key, when in before.items() if title.path(key).stat().st_mtime_ns != when}
    assert not changed
    assert news == []


def test_another_seed_redoes_views_and_iterations_another_filter_only_iterations(title):
    _run(title)
    views = _bytes(title, [k for k in title.keys("views/") if k.endswith(".safetensors")])
    options = make_options({"seed": 5})
    assert len(loop.plan_view_chunks(title, options, "cpu")) == len(views)
    assert loop.plan_view_chunks(title, make_options({"quality_factor": 1.0}), "cpu") == []
    news = []
    _run(title, {"quality_factor": 1.0}, news.append)
    assert news


def test_a_title_without_crops_has_no_characters_and_no_error(title, tmp_path):
    title.write_table("tracks/crops.parquet", CROPS.empty_table())
    title.write_table("tracks/cannot_link.parquet", CANNOT_LINK.empty_table())
    _run(title)
    results = _results(title, tmp_path, "out")
    assert results.read_table("clusters.parquet").num_rows == 0
    assert set(results.read_table("tracks.parquet")["status"].to_pylist()) == {"unknown"}
