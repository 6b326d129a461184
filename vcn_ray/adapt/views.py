"""Augmented views of face crops, made on the device that holds the crops.

A *global* view shows 0.7 to 1.0 of the crop's area, a *local* view 0.4 to 0.6 (S 1.2); both are flipped half of the
time and change colour temperature (S 1.2), and are turned a little (P 3.4 names rotation). How far to turn and which
temperatures to use is not published: the values here are ours. Views keep the crop's proportions, because the aligned
face's proportions are part of the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from kornia.augmentation import RandomPlanckianJitter
from torch import Tensor
from torch.nn import functional as F

from vcn_ray.adapt.draws import Stream, uniforms

ViewKind = Literal["global", "local"]


@dataclass(frozen=True)
class ViewRanges:
    """Ranges that view parameters are drawn from, uniformly."""

    min_area: float  # share of the crop's area that the view shows
    max_area: float
    max_turn_deg: float = 10.0
    flip_probability: float = 0.5


#: S 1.2.
RANGES: dict[ViewKind, ViewRanges] = {"global": ViewRanges(0.7, 1.0), "local": ViewRanges(0.4, 0.6)}

_STREAMS: dict[ViewKind, Stream] = {"global": Stream.GLOBAL_VIEW, "local": Stream.LOCAL_VIEW}

# Rows of kornia's black-body table are 500 K apart from 3000 K on. 4000 to 10000 K spans incandescent light to open
# shade; the rows beyond make monochrome faces that no film shows.
_FIRST_ROW, _LAST_ROW = 2, 14

#: Jitter with its table of black-body gains; only its explicit-parameter form is used, so it draws nothing itself.
_PLANCKIAN = RandomPlanckianJitter(mode="blackbody")


def make_views(crops: Tensor, keys: np.ndarray, kind: ViewKind, index: int | np.ndarray, seed: int) -> Tensor:
    """One augmented view of each crop (S 1.2).

    Args:
        crops: (n, 3, h, w) uint8 RGB, on any device.
        keys: (n,) int64 number of each crop, unique in the title.
        kind: 'global' or 'local'.
        index: number of the view: one for all crops or (n,). The same (seed, key, kind, index) gives the same view
            whatever else is in the batch.
        seed: seed of the run.

    Returns:
        (n, 3, h, w) float32, 0..255, on the crops' device.
    """
    keys = np.asarray(keys, dtype=np.int64)
    indices = np.broadcast_to(np.asarray(index, dtype=np.int64), keys.shape)
    draws = uniforms(seed, _STREAMS[kind], keys, indices, 6)
    theta = torch.from_numpy(_affine(draws[:, :5], RANGES[kind])).to(crops.device, non_blocking=True)
    row = _FIRST_ROW + np.floor(draws[:, 5] * (_LAST_ROW - _FIRST_ROW + 1)).astype(np.int64)
    grid = F.affine_grid(theta, list(crops.shape), align_corners=False)
    # Border pixels continue where a turned view looks beyond the crop: black corners would be a cue of their own.
    views = F.grid_sample(crops.float() / 255.0, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return _PLANCKIAN.apply_transform(views, {"idx": torch.from_numpy(row)}, {}) * 255.0


def _affine(draws: np.ndarray, ranges: ViewRanges) -> np.ndarray:
    """(n, 2, 3) float32 matrices from view to crop coordinates (-1..1) for (n, 5) uniform draws."""
    area = ranges.min_area + draws[:, 0] * (ranges.max_area - ranges.min_area)
    side = np.sqrt(area)
    shift = (2.0 * draws[:, 1:3] - 1.0) * (1.0 - side)[:, None]
    mirror = np.where(draws[:, 3] < ranges.flip_probability, -1.0, 1.0)
    turn = np.deg2rad(ranges.max_turn_deg) * (2.0 * draws[:, 4] - 1.0)
    cos, sin = side * np.cos(turn), side * np.sin(turn)
    top = np.stack([cos * mirror, -sin, shift[:, 0]], axis=1)
    bottom = np.stack([sin * mirror, cos, shift[:, 1]], axis=1)
    return np.stack([top, bottom], axis=1).astype(np.float32)
