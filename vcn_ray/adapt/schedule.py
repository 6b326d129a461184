"""Learning rate and length of an iteration (S 1.3)."""

from __future__ import annotations

import math

from vcn_ray.config import AdaptOptions

#: S 1.3: linear warm-up from 5e-6 to 1e-4, then cosine decay to 1e-5: as shares of the peak, so that another peak
#: keeps the shape.
WARMUP_START_SHARE = 5e-6 / 1e-4
FINAL_SHARE = 1e-5 / 1e-4


def epochs_in_iteration(iteration: int, options: AdaptOptions) -> int:
    """Epochs of an iteration, counted from 1: 30 for the first, 10 for the later ones (S 1.3)."""
    return options.first_epochs if iteration == 1 else options.later_epochs


def trains_network(iteration: int, epoch: int, options: AdaptOptions) -> bool:
    """Whether more than the heads is trained in this epoch (from 0): not in the first 10 of iteration 1 (S 1.3)."""
    return iteration > 1 or epoch >= options.head_only_epochs


def lr_share(step: int, steps_per_epoch: int, epochs: int, warmup_epochs: int) -> float:
    """Learning rate at a step (from 0) of an iteration, as a share of its peak (S 1.3).

    Linear over the warm-up (cut to half of a short iteration), cosine from there to the last step.
    """
    total = steps_per_epoch * epochs
    warmup = min(warmup_epochs * steps_per_epoch, total // 2)
    if step < warmup:
        return WARMUP_START_SHARE + (1.0 - WARMUP_START_SHARE) * step / warmup
    progress = (step - warmup) / max(1, total - warmup - 1)
    return FINAL_SHARE + (1.0 - FINAL_SHARE) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
