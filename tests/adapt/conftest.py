from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vcn_ray.adapt.cache import CachedViews, embed_chunk
from vcn_ray.config import AdaptOptions

DIM = 16


class ToyNetwork(nn.Module):
    """A face-ID network in the shape of a real one (convolutions with BatchNorm, then a linear layer), and tiny."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 5, stride=4), nn.BatchNorm2d(6), nn.PReLU(6), nn.AdaptiveAvgPool2d(4), nn.Flatten()
        )
        self.neck = nn.Linear(96, DIM)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.2, generator=generator)
        for layer in (self.body[0], self.neck):
            nn.init.zeros_(layer.bias)
        self.eval()

    def trunk(self, crops: Tensor) -> Tensor:
        return self.body(crops / 127.5 - 1.0)

    def forward(self, crops: Tensor) -> Tensor:
        return self.neck(self.trunk(crops))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def network() -> ToyNetwork:
    return ToyNetwork()


@pytest.fixture(scope="session")
def options() -> AdaptOptions:
    return AdaptOptions(
        first_epochs=4,
        later_epochs=3,
        head_only_epochs=1,
        warmup_epochs=1,
        batch_pairs=8,
        min_batches_per_epoch=2,
        cached_global_views=2,
        cached_local_views=3,
        quality_passes=3,
    )


@pytest.fixture(scope="session")
def crops() -> np.ndarray:
    """(12, 3, 48, 48): three smooth pictures, each four times with noise: three tracks of three people."""
    rng = np.random.default_rng(5)
    coarse = rng.uniform(0, 255, (3, 3, 6, 6)).repeat(8, axis=2).repeat(8, axis=3)
    noisy = coarse.repeat(4, axis=0) + rng.normal(0, 12, (12, 3, 48, 48))
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def keys() -> np.ndarray:
    return np.arange(12, dtype=np.int64) * 7 - 3


@pytest.fixture(scope="session")
def track_of_crop() -> np.ndarray:
    return np.repeat(np.arange(3), 4)


@pytest.fixture(scope="session")
def cached(crops: np.ndarray, keys: np.ndarray, options: AdaptOptions) -> CachedViews:
    return embed_chunk(ToyNetwork(), crops, keys, options, seed=0)
