"""Cached views of a title's crops: which chunks are still to be computed, and computing one."""

from __future__ import annotations

import time
from typing import Any

import torch

from vcn_ray.adapt.cache import embed_chunk
from vcn_ray.adapt.finetune import resolve_depth
from vcn_ray.pipeline.digests import views_digest
from vcn_ray.pipeline.title_crops import load_pixels, view_chunks
from vcn_ray.pipeline.title_work import TitleWork


def plan_view_chunks(work: TitleWork, device: str) -> list[str]:
    """Keys of the chunks of cached views that are still to be computed; none where training makes its own views.

    device: where adaptation will run.
    """
    if resolve_depth(work.options.adapt, device) != "head":
        return []
    store, chunks = work.store, view_chunks(work)
    planned = {key for key, _ in chunks}
    for key in store.keys("views/"):  # left by other options; they hold embeddings of faces
        if key.partition(".")[0] not in planned:
            store.delete(key)
    return [key for key, rows in chunks if not store.is_done(key, views_digest(work, rows))]


def count_view_chunks(work: TitleWork, device: str) -> tuple[int, int]:
    """Chunks of cached views that are still to be computed, and all of them; changes nothing."""
    if resolve_depth(work.options.adapt, device) != "head":
        return 0, 0
    chunks = view_chunks(work)
    return sum(not work.store.is_done(key, views_digest(work, rows)) for key, rows in chunks), len(chunks)


def embed_view_chunk(work: TitleWork, key: str, threads: int) -> dict[str, Any]:
    """Compute and store one chunk of cached views on a CPU; returns its number of crops and seconds."""
    start = time.monotonic()
    torch.set_num_threads(threads)
    store, options = work.store, work.options
    rows = dict(view_chunks(work))[key]
    views = embed_chunk(work.models.base_network(options), load_pixels(store, rows), rows, options.adapt, options.seed)
    store.begin(key)
    store.write_bytes(f"{key}.safetensors", views.to_bytes())
    store.mark_done(key, views_digest(work, rows))
    return {"crops": len(rows), "seconds": time.monotonic() - start}
