"""Views are stored in chunks for a CPU; a GPU embeds its own, to the same end."""

from __future__ import annotations

import json

import pytest
import torch
from support import tiny_title
from support.tiny_title import tiny_work

from vcn_ray.pipeline import views
from vcn_ray.pipeline.adaptation_loop import LoopParts, adapt_and_cluster
from vcn_ray.pipeline.title_crops import load_pixels
from vcn_ray.pipeline.views import count_view_chunks, plan_view_chunks
from vcn_ray.storage.store import Store

_STATE = "adapt/02/state.safetensors"


def _title(root) -> Store:
    store = Store(root)
    tiny_title.make_title(store)
    return store


def _adapt_without_chunks(store, settings, device="cpu", on_event=lambda _: None):
    parts = LoopParts(stored_views=False, store_every_s=0.0)
    adapt_and_cluster(tiny_work(store, settings), device=device, threads=1, on_event=on_event, parts=parts)


@pytest.mark.parametrize(
    ("settings", "on_cpu"), [({}, 3), ({"depth": "head"}, 3), ({"method": "paper"}, 3), ({"depth": "tail"}, 0)], ids=str
)
def test_chunks_are_for_a_head_on_a_cpu(tmp_path, settings, on_cpu):
    work = tiny_work(_title(tmp_path), settings)
    for device, chunks in (("cpu", on_cpu), ("cuda", 0), ("cuda:1", 0)):
        assert len(plan_view_chunks(work, device)) == chunks
        assert count_view_chunks(work, device) == (chunks, chunks)


def test_views_embedded_where_a_title_trains_give_the_bytes_of_stored_ones_also_after_a_death(tmp_path):
    settings = {"max_iterations": 2}
    stored, own, resumed = (_title(tmp_path / name) for name in ("stored", "own", "resumed"))
    tiny_title.adapt(stored, settings)
    _adapt_without_chunks(own, settings)

    def die(news):
        if (news["iteration"], news.get("epoch")) == (2, 0):
            raise RuntimeError("died")

    with pytest.raises(RuntimeError, match="died"):
        _adapt_without_chunks(resumed, settings, on_event=die)
    _adapt_without_chunks(resumed, settings)
    for store in (own, resumed):
        assert tiny_title.clusterings(store) == tiny_title.clusterings(stored)
        assert store.read_bytes(_STATE) == stored.read_bytes(_STATE)
        assert store.keys("views/") == []


def test_pixels_are_loaded_a_part_at_a_time(tmp_path, monkeypatch):
    work, loaded = tiny_work(_title(tmp_path), {}), []
    whole = views.title_views(work, "cpu", stored=False)

    def load(store, rows):
        loaded.append(len(rows))
        return load_pixels(store, rows)

    monkeypatch.setattr(views, "load_pixels", load)
    monkeypatch.setattr(views, "_CHUNKS_AT_ONCE", 2)
    assert views.title_views(work, "cpu", stored=False).to_bytes() == whole.to_bytes()
    assert len(loaded) == 2
    assert sum(loaded) == len(whole.keys)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")
@pytest.mark.parametrize("settings", [{}, {"depth": "full", "head_only_epochs": 1}], ids=str)
def test_on_a_gpu_a_title_is_found_as_on_a_cpu_and_twice_the_same(tmp_path, settings):
    settings = {"max_iterations": 2, **settings}
    here, *there = (_title(tmp_path / name) for name in ("cpu", "once", "again"))
    tiny_title.adapt(here, settings)
    for store in there:
        work = tiny_work(store, settings)
        adapt_and_cluster(work, device="cuda", threads=1, on_event=lambda _: None)
        assert next(iter(work.models.base_network(work.options).parameters())).device.type == "cpu"
    last = [json.loads(list(tiny_title.clusterings(store).values())[-1])["labels"] for store in (here, *there)]
    assert last[0] == last[1]
    assert tiny_title.clusterings(there[0]) == tiny_title.clusterings(there[1])
    assert there[0].read_bytes(_STATE) == there[1].read_bytes(_STATE)
