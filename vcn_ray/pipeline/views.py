"""Cached views of a title's crops: where they are embedded, which chunks are still to be computed, computing them.

For a CPU they are embedded beforehand, in chunks on any CPU, and stored; a GPU that trains on them embeds them itself.
"""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import torch

from vcn_ray.adapt.cache import CachedViews, concat_views, embed_chunk
from vcn_ray.adapt.finetune import resolve_depth
from vcn_ray.config import Options
from vcn_ray.pipeline.digests import views_digest
from vcn_ray.pipeline.title_crops import load_pixels, load_views, view_chunks
from vcn_ray.pipeline.title_work import TitleWork

#: Whose pixels are loaded together: few enough for their memory, and many for an object store that is asked each time.
_CHUNKS_AT_ONCE = 16


def are_stored(options: Options, device: str) -> bool:
    """Whether a title that adapts on this device takes its views from stored chunks, or embeds them itself.

    A GPU embeds them faster than CPUs that would have to be asked first (924 crops in 1.0 s on an H100, in 20 s on 16
    CPUs); and what trains more than the head makes views of its own.
    """
    return resolve_depth(options.adapt, device) == "head" and torch.device(device).type == "cpu"


def title_views(work: TitleWork, device: str, *, stored: bool) -> CachedViews:
    """Views of all crops of a title, in the order of `choose_crops`.

    stored: from the chunks that `plan_view_chunks` names; else embedded on the device, batch by batch as in chunks.
    """
    if stored:
        return load_views(work)
    options, chunks = work.options, [rows for _, rows in view_chunks(work)]
    network = copy.deepcopy(work.models.base_network(options)).to(device)  # the process's own stays where it is
    embedded: list[CachedViews] = []
    for first in range(0, len(chunks), _CHUNKS_AT_ONCE):
        loaded = chunks[first : first + _CHUNKS_AT_ONCE]
        pixels = np.split(
            load_pixels(work.store, np.concatenate(loaded)), np.cumsum([len(rows) for rows in loaded])[:-1]
        )
        embedded += [
            embed_chunk(network, crops, rows, options.adapt, options.seed, device=device)
            for crops, rows in zip(pixels, loaded, strict=True)
        ]
    return concat_views(embedded)


def plan_view_chunks(work: TitleWork, device: str) -> list[str]:
    """Keys of the chunks of cached views that are still to be computed; none where adaptation embeds its own.

    device: where adaptation will run.
    """
    if not are_stored(work.options, device):
        return []
    store, chunks = work.store, view_chunks(work)
    planned = {key for key, _ in chunks}
    for key in store.keys("views/"):  # left by other options; they hold embeddings of faces
        if key.partition(".")[0] not in planned:
            store.delete(key)
    return [key for key, rows in chunks if not store.is_done(key, views_digest(work, rows))]


def count_view_chunks(work: TitleWork, device: str) -> tuple[int, int]:
    """Chunks of cached views that are still to be computed, and all of them; changes nothing."""
    if not are_stored(work.options, device):
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
