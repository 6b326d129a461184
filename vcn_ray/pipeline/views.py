"""Cached views of a title's crops: which chunks are still to be computed, and computing one."""

from __future__ import annotations

import time
from typing import Any

import torch

from vcn_ray.adapt.cache import embed_chunk
from vcn_ray.adapt.finetune import resolve_depth
from vcn_ray.config import Options
from vcn_ray.models.loading import base_network
from vcn_ray.pipeline.digests import views_digest
from vcn_ray.pipeline.title_crops import load_pixels, view_chunks
from vcn_ray.storage.store import Store


def plan_view_chunks(store: Store, options: Options, device: str) -> list[str]:
    """Keys of the chunks of cached views that are still to be computed; none where training makes its own views.

    `store` is the title's working store with its ``tracks/`` tables; `device` where adaptation will run.
    """
    if resolve_depth(options.adapt, device) != "head":
        return []
    chunks = view_chunks(store, options)
    planned = {key for key, _ in chunks}
    for key in store.keys("views/"):  # left by other options; they hold embeddings of faces
        if key.partition(".")[0] not in planned:
            store.delete(key)
    return [key for key, rows in chunks if not store.is_done(key, views_digest(store, options, rows))]


def count_view_chunks(store: Store, options: Options, device: str) -> tuple[int, int]:
    """Chunks of cached views that are still to be computed, and all of them; changes nothing."""
    if resolve_depth(options.adapt, device) != "head":
        return 0, 0
    chunks = view_chunks(store, options)
    return sum(not store.is_done(key, views_digest(store, options, rows)) for key, rows in chunks), len(chunks)


def embed_view_chunk(store: Store, options: Options, key: str, threads: int) -> dict[str, Any]:
    """Compute and store one chunk of cached views on a CPU; returns its number of crops and seconds."""
    start = time.monotonic()
    torch.set_num_threads(threads)
    rows = dict(view_chunks(store, options))[key]
    views = embed_chunk(base_network(options), load_pixels(store, rows), rows, options.adapt, options.seed)
    store.begin(key)
    store.write_bytes(f"{key}.safetensors", views.to_bytes())
    store.mark_done(key, views_digest(store, options, rows))
    return {"crops": len(rows), "seconds": time.monotonic() - start}
