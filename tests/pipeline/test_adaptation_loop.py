"""The loop of a title: it ends, repeats itself to the byte, resumes where it stopped, and redoes what changed.

Several workers find what one finds, and only the first writes.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from support import PROGRAM_ENVIRONMENT, tiny_title
from support.tiny_title import IDENTITIES, TRACKS, tiny_work

from vcn_ray.adapt.workers import Workers
from vcn_ray.pipeline.adaptation_loop import LoopParts
from vcn_ray.pipeline.outputs.title_outputs import finish_title
from vcn_ray.pipeline.views import plan_view_chunks
from vcn_ray.schemas import CANNOT_LINK, CLUSTERS, CROPS, FACES, ITERATIONS
from vcn_ray.storage.store import Store


@pytest.fixture
def title(tmp_path):
    """The tiny title in a store of its own."""
    store = Store(tmp_path / "work")
    tiny_title.make_title(store)
    return store


_run = tiny_title.adapt


def _results(store, tmp_path, name):
    results = Store(tmp_path / name)
    finish_title(store, "t", results, {"a.mp4": 0.04})
    return results


def _bytes(store, keys):
    return {key: store.read_bytes(key) for key in keys}


def test_people_are_found_and_every_table_keeps_its_schema(title, tmp_path):
    _run(title)
    results = _results(title, tmp_path, "out")
    tracks = results.read_table("tracks.parquet")
    cluster = tracks["cluster_id"].to_pylist()
    assert [len({cluster[t] for t in range(i, TRACKS, IDENTITIES)}) for i in range(IDENTITIES)] == [1, 1, 1]
    assert len(set(cluster)) == IDENTITIES
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
    steps = list(tiny_title.clusterings(title).values())
    assert 3 <= len(steps) < 11


def test_limit_of_iterations_is_kept_and_zero_means_the_base_model(title):
    _run(title, {"max_iterations": 0})
    assert len(tiny_title.clusterings(title)) == 1


def test_the_last_iteration_is_delivered_and_the_table_says_which(title, tmp_path):
    _run(title, {"max_iterations": 3, "min_iterations": 3})
    key = "adapt/03/clustering.json"
    content = title.read_json(key)
    title.write_json(key, content | {"labels": [0] * len(content["labels"])})
    title.delete("adapt.done.json")
    _run(title, {"max_iterations": 3, "min_iterations": 3})
    results = _results(title, tmp_path, "out")
    rows = results.read_table("iterations.parquet").to_pylist()
    assert [row["delivered"] for row in rows] == [False, False, False, True]
    assert results.read_table("clusters.parquet").num_rows == 1


@pytest.mark.parametrize(("share", "iterations"), [(0.0, 3), (0.99, 2)])
def test_a_title_has_settled_when_few_enough_of_its_tracks_change(title, share, iterations):
    """One track that moves changes the company of all that it leaves or joins."""
    settings = {"max_iterations": 2, "min_iterations": 2}
    _run(title, settings)
    for number, label in ((1, 0), (2, 1)):  # two whole iterations that differ in one track
        key = f"adapt/{number:02d}/clustering.json"
        content = title.read_json(key)
        content["labels"][0] = label
        title.write_json(key, content)
    title.delete("adapt.done.json")
    _run(title, settings | {"max_iterations": 3, "settled_share": share})
    assert title.exists("adapt/03.done.json") == (iterations == 3)


def test_characters_say_how_probable_they_are_and_an_earlier_versions_know_nothing(title, tmp_path):
    few = {"max_iterations": 1, "min_iterations": 1}
    _run(title, few)
    names = ("one_person", "is_person")
    clusters = _results(title, tmp_path, "out").read_table("clusters.parquet")
    assert all(0 < p <= 1 for p in clusters["one_person"].to_pylist())
    for key in (f"adapt/{number:02d}/clustering.json" for number in range(2)):
        content = title.read_json(key)
        title.write_json(key, {name: value for name, value in content.items() if name not in names})
    title.delete("adapt.done.json")
    _run(title, few)
    clusters = _results(title, tmp_path, "older").read_table("clusters.parquet")
    assert all(set(clusters[name].to_pylist()) == {None} for name in names)


class _WorkerDiedError(Exception):
    """Stands for the death of the worker."""


_TABLES = ("faces.parquet", "tracks.parquet", "clusters.parquet", "iterations.parquet", "iteration_clusters.parquet")


def test_lower_limit_gives_what_a_run_with_it_would_have_given_and_the_rest_is_kept(title, tmp_path):
    many, few = {"max_iterations": 3, "min_iterations": 3}, {"max_iterations": 1, "min_iterations": 3}
    fresh = _copy(title, tmp_path / "fresh")
    _run(title, many)
    whole = _bytes(_results(title, tmp_path, "many"), _TABLES)
    _run(title, few)
    _run(fresh, few)
    assert title.read_json("adapt.done.json")["iterations"] == 2
    lowered, anew = _results(title, tmp_path, "lowered"), _results(fresh, tmp_path, "anew")
    assert _bytes(lowered, _TABLES) == _bytes(anew, _TABLES)
    _run(title, many)
    assert _bytes(_results(title, tmp_path, "raised"), _TABLES) == whole


def _copy(store, root):
    copy = Store(root)
    for key in store.keys(""):
        copy.write_bytes(key, store.read_bytes(key))
    return copy


_EVERY_EPOCH = [(iteration, epoch) for iteration in (1, 2) for epoch in (0, 1, 2)]


@pytest.mark.parametrize(
    ("settings", "stored", "places"),
    [
        ({}, "after every epoch", _EVERY_EPOCH),
        ({}, "when the machine is to go", _EVERY_EPOCH),
        ({}, "between iterations", _EVERY_EPOCH),
        ({"method": "paper"}, "after every epoch", [(1, 1), (2, 0)]),
        ({"depth": "full"}, "after every epoch", [(1, 0), (2, 1)]),
    ],
    ids=str,
)
def test_a_run_that_dies_after_any_epoch_resumes_to_the_same_bytes(title, tmp_path, settings, stored, places):
    settings = {"max_iterations": 2, "first_epochs": 3, "later_epochs": 3, "head_only_epochs": 1, **settings}
    whole = _copy(title, tmp_path / "whole")
    _run(whole, settings)
    parts = LoopParts(store_every_s=0.0 if stored == "after every epoch" else 1e9)
    workers = Workers(leaving=lambda: stored == "when the machine is to go")
    for place in places:
        resumed = _copy(title, tmp_path / f"resumed {place}")

        def die(news, place=place):
            if (news["iteration"], news.get("epoch")) == place:
                raise _WorkerDiedError

        with pytest.raises(_WorkerDiedError):
            _run(resumed, settings, die, workers, parts)
        news = []
        _run(resumed, settings, news.append, parts=parts)
        iteration, epoch = place
        again = 0 if stored == "between iterations" else min(epoch + 1, 2)  # the last is stored with its clustering
        trained = [event.get("epoch") for event in news if event["iteration"] == iteration]
        assert trained == [*range(again, 3), None]
        assert tiny_title.clusterings(resumed) == tiny_title.clusterings(whole)
        state = "adapt/02/state.safetensors"
        assert resumed.read_bytes(state) == whole.read_bytes(state)
        assert not [key for key in resumed.keys("adapt/") if "epoch" in key]


def _together(barrier):
    """Workers that are threads of this process."""
    slots = [None] * barrier.parties

    def worker(rank):
        def sum_in_place(tensor):
            slots[rank] = tensor.clone()
            barrier.wait(60)
            total = sum(slots[1:], slots[0].clone())
            barrier.wait(60)
            tensor.copy_(total)

        return Workers(rank, barrier.parties, sum_in_place)

    return [worker(rank) for rank in range(barrier.parties)]


def _loopback():
    return next(name for _, name in socket.if_nameindex() if name.startswith("lo"))


def _labels(store):
    return [json.loads(content)["labels"] for content in tiny_title.clusterings(store).values()]


@pytest.mark.parametrize("settings", [{}, {"depth": "tail"}], ids=str)
def test_several_workers_find_the_clusters_that_one_finds_also_after_a_death(title, tmp_path, settings):
    settings = {"max_iterations": 3, "head_only_epochs": 1, **settings}
    alone = _copy(title, tmp_path / "alone")
    _run(alone, settings)

    def run(store, die=None):
        news, failures, barrier = [[], [], []], [], threading.Barrier(3)

        def work(worker):
            def report(event):
                news[worker.rank].append(event)
                if die is not None and (event["iteration"], event.get("epoch")) == die:
                    raise _WorkerDiedError

            try:
                _run(store, settings, report, worker, LoopParts(store_every_s=0.0))
            except (_WorkerDiedError, threading.BrokenBarrierError) as error:
                failures.append(error)
                barrier.abort()

        threads = [threading.Thread(target=work, args=(worker,)) for worker in _together(barrier)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return news, failures

    undisturbed = _copy(title, tmp_path / "undisturbed")
    news, failures = run(undisturbed)
    assert not failures
    assert news[0]
    assert not news[1] + news[2]
    assert _labels(undisturbed) == _labels(alone)

    assert run(title, die=(2, 0))[1]
    news, failures = run(title)
    assert not failures
    assert [event["epoch"] for event in news[0] if event["iteration"] == 2 and "epoch" in event] == [1]
    assert tiny_title.clusterings(title) == tiny_title.clusterings(undisturbed)
    assert title.read_json("adapt.done.json")["digest"] != alone.read_json("adapt.done.json")["digest"]


def test_two_processes_over_gloo_find_the_clusters_that_one_finds(title, tmp_path):
    settings = {"max_iterations": 2, "depth": "full", "head_only_epochs": 1}
    alone = _copy(title, tmp_path / "alone")
    _run(alone, settings)
    command = [sys.executable, "-m", "support.tiny_title"]
    arguments = [str(tmp_path / "meeting"), str(tmp_path / "work"), json.dumps(settings)]
    here = PROGRAM_ENVIRONMENT | {"GLOO_SOCKET_IFNAME": _loopback()}
    processes = [
        subprocess.Popen(  # noqa: S603
            [*command, str(rank), "2", *arguments], env=os.environ | here, stderr=subprocess.PIPE
        )
        for rank in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    assert _labels(title) == _labels(alone)
    first, second = (json.loads(list(tiny_title.clusterings(store).values())[-1]) for store in (title, alone))
    assert np.allclose(first["quality"], second["quality"], atol=1e-4)


def test_in_an_object_store_the_bytes_are_the_same(title, s3_bucket):
    there = _copy(title, f"{s3_bucket}/season/titles/a/work")
    for store in (title, there):
        _run(store, {"max_iterations": 2})
    assert tiny_title.clusterings(there) == tiny_title.clusterings(title)
    state = "adapt/02/state.safetensors"
    assert there.read_bytes(state) == title.read_bytes(state)
    assert there.keys("adapt/") == title.keys("adapt/")


def test_nothing_is_done_twice(title):
    _run(title)
    before = {key: Path(title.where(key)).stat().st_mtime_ns for key in title.keys("")}
    news = []
    _run(title, on_event=news.append)
    changed = {key for key, when in before.items() if Path(title.where(key)).stat().st_mtime_ns != when}
    assert not changed
    assert news == []


def test_another_seed_redoes_views_and_iterations_another_filter_only_iterations(title):
    _run(title)
    views = _bytes(title, [k for k in title.keys("views/") if k.endswith(".safetensors")])
    for other in ({"seed": 5}, {"views_precision": "bfloat16"}):
        assert len(plan_view_chunks(tiny_work(title, other), "cpu")) == len(views) == 3
    assert plan_view_chunks(tiny_work(title, {"quality_factor": 1.0}), "cpu") == []
    title.mark_done("results", "1")
    _run(title)
    assert title.exists("results.done.json")
    news = []
    _run(title, {"quality_factor": 1.0}, news.append)
    assert news
    assert not title.exists("results.done.json")  # what results were made from is not there any more


def test_a_title_without_crops_has_no_characters_and_no_error(title, tmp_path):
    title.write_table("tracks/crops.parquet", CROPS.empty_table())
    title.write_table("tracks/cannot_link.parquet", CANNOT_LINK.empty_table())
    _run(title)
    results = _results(title, tmp_path, "out")
    assert results.read_table("clusters.parquet").num_rows == 0
    assert set(results.read_table("tracks.parquet")["status"].to_pylist()) == {"unknown"}
