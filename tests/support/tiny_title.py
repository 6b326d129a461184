"""A title of random colours with a network to match, small enough to adapt in a second.

Run as a program it is one of several processes that adapt such a title together over gloo:
``python -m support.tiny_title RANK COUNT RENDEZVOUS_FILE STORE SETTINGS_JSON``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch

from vcn_ray.adapt.workers import ALONE, Workers, in_process_group
from vcn_ray.config import Options, make_options
from vcn_ray.models import loading
from vcn_ray.pipeline import adaptation_loop, digests, iteration, title_crops, track_splits, views
from vcn_ray.schemas import CANNOT_LINK, CROPS, STAGE1_FACES, STAGE1_TRACKS
from vcn_ray.storage.store import Store

TRACKS, IDENTITIES, CROPS_PER_TRACK = 12, 3, 4


class TinyNetwork(torch.nn.Module):
    """Stands in for a face-ID network: colours of a coarse grid, normalised and projected to 16 numbers."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.randn(16, 3 * 16, generator=torch.Generator().manual_seed(0))
        self.normalise = torch.nn.BatchNorm2d(3)
        self.neck = torch.nn.Linear(48, 16)
        self.neck.weight.data, self.neck.bias.data = weight, torch.zeros(16)
        self.eval()

    def trunk(self, crops: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(self.normalise(crops / 127.5 - 1), 4).flatten(1)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.neck(self.trunk(crops))


def use_tiny_network(put: Callable[[Any, str, Any], object]) -> None:
    """Have the loop take it; `put` sets an attribute of a module."""
    pack = SimpleNamespace(face_id_digest="tiny", face_id=TinyNetwork)
    for module in (iteration, track_splits, digests, loading):
        put(module, "pack_of", lambda options: pack)
    put(views, "base_network", lambda options: TinyNetwork())
    put(title_crops, "_CHUNK_CROPS", 20)


def make_title(store: Store) -> None:
    """Twelve tracks of three "people" (random grids of colours), two of them seen together."""
    rng = np.random.default_rng(0)
    people = rng.integers(0, 255, (IDENTITIES, 4, 4, 3))
    crops, faces, tracks = [], [], []
    for track in range(TRACKS):
        for n in range(CROPS_PER_TRACK):
            grid = np.clip(people[track % IDENTITIES] + rng.normal(0, 25, (4, 4, 3)), 0, 255).astype(np.uint8)
            _, jpeg = cv2.imencode(".jpg", cv2.resize(grid, (112, 112), interpolation=cv2.INTER_NEAREST))
            frame = 100 * track + 12 * n
            crops.append((track, "a.mp4", frame, 0.9, 1.0, jpeg.tobytes()))
            faces.append(("a.mp4", frame, frame / 25, 0, 1, 1, 9, 9, 0.9, [0.0] * 10, 1.0, None, track))
        tracks.append(("a.mp4", 0, track, 100 * track, 100 * track + 36, 4.0 * track, 4.0 * track + 1, 4, 4, None))

    def table(rows: list[Any], schema: pa.Schema) -> pa.Table:
        return pa.table(dict(zip(schema.names, map(list, zip(*rows, strict=True)), strict=True)), schema=schema)

    store.write_table("tracks/crops.parquet", table(crops, CROPS))
    store.write_table("tracks/faces.parquet", table(faces, STAGE1_FACES))
    store.write_table("tracks/tracks.parquet", table(tracks, STAGE1_TRACKS))
    store.write_table("tracks/cannot_link.parquet", pa.table({"track_a": [0], "track_b": [1]}, schema=CANNOT_LINK))
    store.mark_done("tracks", "made for a test")


def tiny_options(settings: dict[str, Any] | None = None) -> Options:
    """Options under which it is done in no time."""
    short = {"first_epochs": 2, "later_epochs": 2, "min_batches_per_epoch": 1, "batch_pairs": 16, "max_iterations": 4}
    return make_options(short | (settings or {}))


def adapt(
    store: Store,
    settings: dict[str, Any] | None = None,
    report: Callable[[dict[str, Any]], None] = lambda _: None,
    workers: Workers = ALONE,
) -> None:
    """Compute the missing views and adapt, as one of the workers."""
    options = tiny_options(settings)
    if workers.rank == 0:
        for key in views.plan_view_chunks(store, options, "cpu"):
            views.embed_view_chunk(store, options, key, 1)
    adaptation_loop.adapt_and_cluster(store, options, device="cpu", threads=1, report=report, workers=workers)


def _main(rank: int, count: int, rendezvous: str, store: str, settings: dict[str, Any]) -> None:
    torch.distributed.init_process_group("gloo", f"file://{rendezvous}", rank=rank, world_size=count)
    use_tiny_network(setattr)
    adapt(Store(store), settings, workers=in_process_group())
    torch.distributed.barrier()  # gloo aborts a process that leaves while another one still talks
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], json.loads(sys.argv[5]))
