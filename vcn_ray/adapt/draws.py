"""Random numbers of adaptation: each is a function of explicit integers, never of order, batch or worker.

Philox is a counter-based generator: (seed, stream) is its key and (index, crop) a place in its sequence, so the draws
of one crop are the same whichever crops are processed with it.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch

_WORD = (1 << 64) - 1


class Stream(IntEnum):
    """What a random number is for; streams never overlap."""

    GLOBAL_VIEW = 1
    LOCAL_VIEW = 2
    DROPOUT = 3
    PAIRS = 4
    STUDENT_HEAD = 5
    TEACHER_HEAD = 6
    PATCH_MASK = 7


def philox(seed: int, stream: Stream, index: int = 0, key: int = 0) -> np.random.Philox:
    """Bit generator at its own place for (seed, stream, index, key); negative keys are allowed."""
    words = np.array([seed & _WORD, int(stream), 0, 0, index & _WORD, key & _WORD], dtype=np.uint64)
    return np.random.Philox(key=words[:2], counter=words[2:])


def uniforms(seed: int, stream: Stream, keys: np.ndarray, indices: np.ndarray, count: int) -> np.ndarray:
    """(n, count) float64 in [0, 1), row i drawn from (seed, stream, indices[i], keys[i])."""
    rows = np.empty((len(keys), count))
    for row, key, index in zip(rows, keys, indices, strict=True):
        row[:] = np.random.Generator(philox(seed, stream, int(index), int(key))).random(count)
    return rows


def keep_masks(seed: int, keys: np.ndarray, index: int, features: int, dropped_of_256: int) -> np.ndarray:
    """(n, features) bool; False with probability `dropped_of_256` / 256, drawn per (seed, key, index).

    One byte per feature: a network's features count tens of thousands, and whole floats would cost as much as the
    network.
    """
    words = -(-features // 8)
    masks = np.empty((len(keys), features), dtype=bool)
    for row, key in zip(masks, keys, strict=True):
        raw = philox(seed, Stream.DROPOUT, index, int(key)).random_raw(words)
        row[:] = raw.astype("<u8").view(np.uint8)[:features] >= dropped_of_256
    return masks


def torch_generator(seed: int, stream: Stream) -> torch.Generator:
    """CPU generator for the initial weights of a head."""
    state = np.random.SeedSequence([seed, int(stream)]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)
