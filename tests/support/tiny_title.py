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
from vcn_ray.config import ModelOptions, Options, make_options
from vcn_ray.models.loading import FaceModels
from vcn_ray.pipeline.adaptation_loop import LoopParts, adapt_and_cluster
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.pipeline.views import embed_view_chunk, plan_view_chunks
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

    def for_inference(self, _precision: str) -> TinyNetwork:
        return self


def tiny_pack(models: ModelOptions) -> Any:
    """As far as a `FacePack` as adaptation, pages and the bench look at it; whatever models are asked for."""
    return SimpleNamespace(
        name="tiny pack", licence="none", face_id_digest="tiny", face_id=TinyNetwork, recognition_threshold=0.3
    )


#: The tiny network in place of the installed ones.
TINY_MODELS = FaceModels(tiny_pack)


def tiny_work(store: Store, settings: dict[str, Any] | None = None) -> TitleWork:
    """Work on the title under `tiny_options`, its cached views in several chunks."""
    return TitleWork(store, tiny_options(settings), TINY_MODELS, crops_per_chunk=20)


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
    on_event: Callable[[dict[str, Any]], None] = lambda _: None,
    workers: Workers = ALONE,
    parts: LoopParts | None = None,
) -> None:
    """Compute the missing views and adapt, as one of the workers."""
    work = tiny_work(store, settings)
    if workers.rank == 0:
        for key in plan_view_chunks(work, "cpu"):
            embed_view_chunk(work, key, 1)
    adapt_and_cluster(work, device="cpu", threads=1, on_event=on_event, workers=workers, parts=parts or LoopParts())


def clusterings(store: Store) -> dict[str, bytes]:
    """What is stored of each iteration's clustering, by key, in order."""
    return {key: store.read_bytes(key) for key in store.keys("adapt/") if key.endswith("clustering.json")}


def _main(rank: int, count: int, rendezvous: str, store: str, settings: dict[str, Any]) -> None:
    torch.distributed.init_process_group("gloo", f"file://{rendezvous}", rank=rank, world_size=count)
    adapt(Store(store), settings, workers=in_process_group())
    torch.distributed.barrier()  # gloo aborts a process that leaves while another one still talks
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], json.loads(sys.argv[5]))
