"""Embeddings of crops and their augmented views, computed once: what head-only training and clustering work on.

Computing them is nearly all that adaptation costs on CPUs (a head is 50,000 times smaller than the network), it is a
pure function of crops, options and seed, and so it spreads over workers in chunks. Stored as float32: 10 vectors of
128 numbers are 5 KB a crop, too little to save on, and an untrained residual head then gives the base model exactly.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors
from torch import Tensor

from vcn_ray.adapt.draws import keep_masks
from vcn_ray.adapt.views import make_views
from vcn_ray.config import AdaptOptions
from vcn_ray.errors import OutputError

#: Crops whose views are made together, and per pass of the last linear layer; part of the result, since a matrix
#: product's last bits depend on its size.
_BATCH_CROPS = 32


class Embedder(Protocol):
    """A face-ID network in two parts, as `models.face_id.FaceIdNetwork` has them."""

    def trunk(self, crops: Tensor) -> Tensor:
        """(n, 3, h, w) float RGB 0..255 -> (n, F) features that the last linear layer takes."""

    def neck(self, features: Tensor) -> Tensor:
        """(n, F) -> (n, D) embedding."""


@dataclass(frozen=True)
class CachedViews:
    """Embeddings of n crops, float32, unnormalised, D long."""

    keys: np.ndarray  # (n,) int64 number of each crop
    plain: np.ndarray  # (n, D) the crop itself
    flipped: np.ndarray  # (n, D) its mirror image
    global_views: np.ndarray  # (n, G, D)
    local_views: np.ndarray  # (n, L, D)
    dropout: np.ndarray  # (n, m, D) the crop, with dropout on the last linear layer's input: for its quality

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def embedding_dim(self) -> int:
        """D."""
        return self.plain.shape[1]

    def to_bytes(self) -> bytes:
        """As safetensors; equal content gives equal bytes."""
        return save_safetensors({f.name: np.ascontiguousarray(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def from_bytes(cls, content: bytes) -> CachedViews:
        """Read back what `to_bytes` gave; `OutputError` for anything else."""
        try:
            return cls(**load_safetensors(content))
        except (SafetensorError, TypeError) as error:
            raise OutputError(
                f"cached views are damaged ({error}); delete the title's work/views folder and run again"
            ) from None


def concat_views(parts: Sequence[CachedViews]) -> CachedViews:
    """Chunks one after the other, in the order given."""
    return CachedViews(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(CachedViews)})


def spread_crops(track_of_crop: np.ndarray, max_per_track: int) -> np.ndarray:
    """Indices (sorted, int64) of at most `max_per_track` crops of each track, evenly spaced in the order given.

    Keeps long takes from costing without end: their crops repeat one another.
    """
    order = np.argsort(track_of_crop, kind="stable")
    _, starts, counts = np.unique(track_of_crop[order], return_index=True, return_counts=True)
    chosen = [
        order[start + np.unique(np.linspace(0, count - 1, min(count, max_per_track)).round().astype(np.int64))]
        for start, count in zip(starts, counts, strict=True)
    ]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.int64)


@torch.no_grad()
def embed_chunk(
    network: Embedder,
    crops: np.ndarray | Tensor,
    keys: np.ndarray,
    options: AdaptOptions,
    seed: int,
    *,
    device: torch.device | str = "cpu",
) -> CachedViews:
    """Embed crops and their views: a pure function of crops, keys, options and seed.

    Args:
        network: the base model, in evaluation mode, on `device`.
        crops: (n, 3, h, w) uint8 RGB.
        keys: (n,) int64 number of each crop, unique in the title; view parameters and dropout masks come from it.
        options: how many views and dropout passes.
        seed: seed of the run.
        device: where to compute; in float32 also on a GPU, so that its embeddings are a CPU's but for the last bits.
    """
    keys = np.asarray(keys, dtype=np.int64)
    pixels = torch.as_tensor(crops)
    batches = []
    with float32_convolutions() if torch.device(device).type == "cuda" else nullcontext():
        for start in range(0, len(keys), _BATCH_CROPS):
            chunk = slice(start, start + _BATCH_CROPS)
            batches.append(_embed_batch(network, pixels[chunk].to(device), keys[chunk], options, seed))
    if not batches:
        raise ValueError("there is no crop to embed")
    return concat_views(batches)


@contextmanager
def float32_convolutions() -> Iterator[None]:
    """A GPU's convolutions keep all bits of float32 (its default keeps 10 of 23) and add up in one order."""
    with warnings.catch_warnings():
        # torch 2.9 and later mean to give these switches other names.
        warnings.filterwarnings("ignore", "Please use the new API settings to control TF32")
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield


def _embed_batch(network: Embedder, crops: Tensor, keys: np.ndarray, options: AdaptOptions, seed: int) -> CachedViews:
    def embed(images: Tensor) -> Tensor:
        return network.neck(network.trunk(images)).float()

    features = network.trunk(crops.float())
    views: dict[str, Tensor] = {
        "plain": network.neck(features).float(),
        "flipped": embed(crops.flip(3).float()),
        "dropout": dropout_passes(network, features, keys, options, seed),
    }
    for kind, count in (("global", options.cached_global_views), ("local", options.cached_local_views)):
        passes = [embed(make_views(crops, keys, kind, index, seed)) for index in range(count)]  # type: ignore[arg-type]
        views[f"{kind}_views"] = torch.stack(passes, dim=1)
    return CachedViews(keys=keys, **{name: value.cpu().numpy() for name, value in views.items()})


@torch.no_grad()
def dropout_passes(network: Embedder, features: Tensor, keys: np.ndarray, options: AdaptOptions, seed: int) -> Tensor:
    """(n, m, D) embeddings of m stochastic passes, dropout on the last linear layer's input (SER-FIQ, P 3.6).

    The trunk has run once, so a pass costs one matrix product. Masks come from (seed, key, pass).
    """
    dropped = round(options.quality_dropout * 256)
    scaled = features * (256.0 / (256 - dropped))
    passes = []
    for index in range(options.quality_passes):
        masks = torch.from_numpy(keep_masks(seed, keys, index, features[0].numel(), dropped)).to(features.device)
        passes.append(network.neck(scaled * masks.view_as(features)).float())
    return torch.stack(passes, dim=1)
