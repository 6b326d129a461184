"""What a branch is fed with at each depth of training, held on the device: embeddings, trunk features or pixels.

Each kind of input answers two questions: the views of a batch of pairs, for training, and the views of all crops, for
clustering. What it gives goes through the branch's backbone (nothing, the neck, the whole network) and its head.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vcn_ray.adapt.cache import CachedViews, Embedder, dropout_passes
from vcn_ray.adapt.pairs import EpochPairs
from vcn_ray.adapt.views import make_views
from vcn_ray.config import AdaptOptions

Which = Literal["plain", "flipped", "global", "local"]

#: Views of a pair: 2 global and 4 local (S 1.2), read as one global and two local of each of its crops.
GLOBAL_PER_PAIR, LOCAL_PER_PAIR = 2, 4

#: Crops per forward pass where no gradient is taken.
_BATCH_CROPS = 64


class Inputs(Protocol):
    """Views of crops as a branch takes them."""

    def __len__(self) -> int:
        """Number of crops."""

    def begin_epoch(self, pairs: EpochPairs) -> None:
        """Get ready to hand out batches of these pairs."""

    def batch(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Views of b pairs of the epoch: (2b, ...) global and (4b, ...) local, those of a pair side by side."""

    def views(self, which: Which, crops: slice) -> Tensor:
        """(n, k, ...) views of some crops; k = 1 for 'plain' and 'flipped'."""

    def dropout_embeddings(self, backbone: nn.Module, crops: slice) -> Tensor:
        """(n, m, D) embeddings of some crops from m passes with dropout before the last linear layer."""


class NetworkBackbone(nn.Module):
    """A whole face-ID network, computed in bfloat16 where asked to; its output is float32."""

    network: Embedder

    def __init__(self, network: Embedder, device: torch.device, bfloat16: bool):
        super().__init__()
        self.network = network
        self._device_type, self._bfloat16 = device.type, bfloat16

    def _precision(self) -> torch.autocast:
        return torch.autocast(self._device_type, dtype=torch.bfloat16, enabled=self._bfloat16)

    def trunk(self, crops: Tensor) -> Tensor:
        """(n, 3, h, w) float -> (n, F) float32."""
        with self._precision():
            return self.network.trunk(crops).float()

    def neck(self, features: Tensor) -> Tensor:
        """(n, F) -> (n, D) float32."""
        with self._precision():
            return self.network.neck(features).float()

    def forward(self, crops: Tensor) -> Tensor:
        """(n, 3, h, w) float -> (n, D) float32."""
        with self._precision():
            return self.network.neck(self.network.trunk(crops)).float()

    def with_patches(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) float -> (n, D) and (n, patches, D) float32; of a transformer."""
        with self._precision():
            embeddings, patches = self.network.with_patches(crops)  # type: ignore[attr-defined]
        return embeddings.float(), patches.float()


class NeckBackbone(nn.Module):
    """The last linear layer of a face-ID network, on stored features of its trunk."""

    def __init__(self, neck: nn.Module):
        super().__init__()
        self.layers = neck

    def neck(self, features: Tensor) -> Tensor:
        """(n, F) -> (n, D) float32."""
        return self.layers(features.float())

    def forward(self, features: Tensor) -> Tensor:
        """(n, F) float16 or float32 -> (n, D) float32."""
        return self.neck(features)


class StackedInputs:
    """Views computed beforehand. The crop and its mirror image count as global views: they are views of scale 1."""

    def __init__(self, wide: Tensor, narrow: Tensor):
        """(n, 2 + G, F) plain, flipped and global views; (n, L, F) local views; on the device."""
        self._wide = wide
        self._narrow = narrow

    def __len__(self) -> int:
        return len(self._wide)

    def begin_epoch(self, pairs: EpochPairs) -> None:
        """Turn the epoch's draws into view numbers and put them on the device."""
        narrow = self._narrow.shape[1]
        local = pairs.local_draws % np.array([narrow, narrow - 1])
        local[..., 1] = (local[..., 0] + 1 + local[..., 1]) % narrow  # two different ones
        device = self._wide.device
        self._crops = torch.from_numpy(np.stack([pairs.crop_a, pairs.crop_b], axis=1)).to(device)
        self._wide_view = torch.from_numpy(pairs.global_draws % self._wide.shape[1]).to(device)
        self._narrow_view = torch.from_numpy(local).to(device)

    def batch(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Views of some pairs of the epoch."""
        crops = self._crops[rows]
        wide = self._wide[crops, self._wide_view[rows]]
        narrow = self._narrow[crops[..., None], self._narrow_view[rows]]
        return wide.flatten(0, 1), narrow.flatten(0, 2)

    def views(self, which: Which, crops: slice) -> Tensor:
        """Views of some crops."""
        if which == "local":
            return self._narrow[crops]
        return self._wide[crops, {"plain": slice(0, 1), "flipped": slice(1, 2), "global": slice(2, None)}[which]]


class EmbeddingInputs(StackedInputs):
    """Cached embeddings, for depth 'head'; the backbone is the identity."""

    def __init__(self, cached: CachedViews, device: torch.device):
        plain, flipped = cached.plain[:, None], cached.flipped[:, None]
        super().__init__(
            torch.from_numpy(np.concatenate([plain, flipped, cached.global_views], axis=1)).to(device),
            torch.from_numpy(cached.local_views).to(device),
        )
        self._dropout = torch.from_numpy(cached.dropout).to(device)

    def dropout_embeddings(self, backbone: nn.Module, crops: slice) -> Tensor:
        """The cached ones."""
        return self._dropout[crops]


class FeatureInputs(StackedInputs):
    """Features of the frozen trunk, for depth 'tail'; the backbone is a `NeckBackbone`.

    Kept as float16, computed once: half the memory of float32, and its rounding (1e-3) is far below what one view
    differs from the next. 10,000 crops of SFace with 8 views take 8 GB.
    """

    @torch.no_grad()
    def __init__(self, network: Embedder, pixels: PixelInputs, options: AdaptOptions, seed: int):
        self._keys, self._options, self._seed = pixels.keys, options, seed

        def features(which: Which) -> Tensor:
            parts = []
            for crops in batches(len(pixels)):
                views = pixels.views(which, crops)
                parts.append(network.trunk(views.flatten(0, 1)).half().unflatten(0, views.shape[:2]))
            return torch.cat(parts)

        super().__init__(torch.cat([features("plain"), features("flipped"), features("global")], 1), features("local"))

    def dropout_embeddings(self, backbone: nn.Module, crops: slice) -> Tensor:
        """Passes of the branch's own neck."""
        plain = self._wide[crops, 0].float()
        return dropout_passes(backbone, plain, self._keys[crops], self._options, self._seed)  # type: ignore[arg-type]


class PixelInputs:
    """uint8 crops, put on the device once; views are made there in each step, for depth 'full'."""

    def __init__(self, crops: np.ndarray, keys: np.ndarray, options: AdaptOptions, seed: int, device: torch.device):
        """(n, 3, h, w) uint8 RGB crops and their (n,) int64 keys."""
        self._pixels = torch.as_tensor(crops).to(device)
        self.keys = np.asarray(keys, dtype=np.int64)
        self._options, self._seed = options, seed

    def __len__(self) -> int:
        return len(self._pixels)

    def begin_epoch(self, pairs: EpochPairs) -> None:
        """Keep the epoch's draws: a draw is the number of a view, so each step sees views of its own."""
        self._pairs = pairs
        self._crops = torch.from_numpy(np.stack([pairs.crop_a, pairs.crop_b], axis=1)).to(self._pixels.device)

    def batch(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Views of some pairs of the epoch."""
        pixels = self._pixels[self._crops[rows].flatten()]
        keys, draws = self.wide_views(rows)
        wide = make_views(pixels, keys, "global", draws, self._seed)
        local_draws = self._pairs.local_draws[rows].ravel()
        twice = pixels.repeat_interleave(2, dim=0)
        narrow = make_views(twice, np.repeat(keys, 2), "local", local_draws, self._seed)
        return _channels_last(wide), _channels_last(narrow)

    def wide_views(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Which the global views of some pairs are: (2b,) key of the crop, and (2b,) number of the view."""
        keys = self.keys[np.stack([self._pairs.crop_a[rows], self._pairs.crop_b[rows]], axis=1).ravel()]
        return keys, self._pairs.global_draws[rows].ravel()

    def views(self, which: Which, crops: slice) -> Tensor:
        """Views of some crops, the same ones that `cache.embed_chunk` embeds."""
        pixels = self._pixels[crops]
        if which == "plain":
            return pixels.float()[:, None]
        if which == "flipped":
            return pixels.flip(3).float()[:, None]
        count = self._options.cached_global_views if which == "global" else self._options.cached_local_views
        return torch.stack(
            [make_views(pixels, self.keys[crops], which, index, self._seed) for index in range(count)], dim=1
        )

    def dropout_embeddings(self, backbone: nn.Module, crops: slice) -> Tensor:
        """Passes of the branch's own network."""
        features = backbone.trunk(self.views("plain", crops)[:, 0])  # type: ignore[operator]
        return dropout_passes(backbone, features, self.keys[crops], self._options, self._seed)  # type: ignore[arg-type]


def batches(count: int) -> list[slice]:
    """Slices that cover `count` crops."""
    return [slice(start, min(start + _BATCH_CROPS, count)) for start in range(0, count, _BATCH_CROPS)]


def _channels_last(images: Tensor) -> Tensor:
    """Convolutions in bfloat16 run on tensor cores in this layout only."""
    return images.contiguous(memory_format=torch.channels_last)
