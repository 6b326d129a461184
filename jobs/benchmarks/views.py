"""Views as they are embedded now beside the network as torch runs it by itself, in batches of 32."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vcn_ray.adapt.cache import CachedViews, Embedder, embed_chunk
from vcn_ray.config import make_options
from vcn_ray.errors import InputError
from vcn_ray.models.face_id import FaceIdNetwork
from vcn_ray.models.loading import load_named
from vcn_ray.pipeline.title_crops import load_pixels
from vcn_ray.storage.store import Store

_CROPS_KEY = "work/tracks/crops.parquet"


class PlainNetwork:
    """The network as it is trained, all crops at once: torch's own choice of convolutions, BatchNorm at each call."""

    def __init__(self, network: FaceIdNetwork):
        self._network = network.requires_grad_(False)

    def trunk(self, crops: Tensor) -> Tensor:
        """As `FaceIdNetwork.trunk`."""
        with torch.enable_grad():  # as in training, though nothing is recorded: no weight asks for a gradient
            return self._network.trunk(crops)

    def neck(self, features: Tensor) -> Tensor:
        """As `FaceIdNetwork.neck`."""
        return self._network.neck(features)


def views(results: str, crops: int, repeats: int) -> None:
    """CPU time of one thread for a crop and all its views, by turns, best of `repeats`; and how far embeddings move.

    Args:
        results: folder of a finished run, whose crops are embedded.
        crops: how many, evenly spaced.
        repeats: of each way.

    Raises:
        InputError: there are no crops.
    """
    torch.set_num_threads(1)
    pixels, options = _crops(Store(results), crops), make_options()
    keys, network = np.arange(len(pixels)), load_named(options.models).face_id()
    ways: dict[str, Embedder] = {
        "before: plain float32": PlainNetwork(network),
        "now: float32": network.for_inference(),
        "now: bfloat16": network.for_inference("bfloat16"),
    }

    def embed(way: str) -> CachedViews:
        return embed_chunk(ways[way], pixels, keys, options.adapt, options.seed)

    embedded = {way: embed(way) for way in ways}  # the first time, oneDNN writes its code
    seconds = {way: float("inf") for way in ways}
    for _ in range(repeats):
        for way in ways:
            seconds[way] = min(seconds[way], _cpu_s(lambda way=way: embed(way)))  # type: ignore[misc]
    passes = 2 + options.adapt.cached_global_views + options.adapt.cached_local_views
    before, *_ = ways
    for way, best_s in seconds.items():
        ms, ours, plain = 1e3 * best_s / len(pixels), *(torch.from_numpy(embedded[w].plain) for w in (way, before))
        cosines = F.cosine_similarity(ours, plain)
        print(
            f"{way:22} {ms:6.1f} ms a crop, {ms / passes:5.1f} a pass   {seconds[before] / best_s:4.2f} times as fast  "
            f" embeddings differ by {float((ours - plain).abs().max()):.0e} at most, "
            f"cosine {float(cosines.median()):.6f}, least {float(cosines.min()):.6f}"
        )
    print(
        f"{len(pixels)} crops with {passes} passes each, one thread, best of {repeats}, "
        f"{torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"
    )


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _crops(store: Store, count: int) -> np.ndarray:
    """(n, 3, 112, 112) uint8 RGB of all titles, at most `count`."""
    found: list[np.ndarray] = []
    for key in sorted(key for key in store.keys("titles/") if key.endswith(_CROPS_KEY)):
        title = store.child(*key.split("/")[:-2])
        rows = title.read_table("tracks/crops.parquet", ["track_id"]).num_rows
        if rows:
            found.append(load_pixels(title, np.unique(np.linspace(0, rows - 1, count).round().astype(np.int64))))
    if not found:
        raise InputError(f"{store.where('titles')}: there are no crops; give the folder of a finished run")
    crops = np.concatenate(found)
    return crops[np.unique(np.linspace(0, len(crops) - 1, count).round().astype(np.int64))]
