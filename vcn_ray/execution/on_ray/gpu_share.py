"""How many titles share a GPU, by its memory and what a title takes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_GIB = 2**30

#: Least memory of a GPU of a kind, by the name that Ray gives the kind; in its resources ``accelerator_type:NAME``.
GPU_MEMORY_BYTES = {
    name: gib * _GIB
    for name, gib in {
        "P4": 8,
        "K80": 12,
        "P100": 12,
        "T4": 16,
        "V100": 16,
        "A10": 24,
        "A10G": 24,
        "L4": 24,
        "A100": 40,
        "A100-40G": 40,
        "A100-80G": 80,
        "L40S": 48,
        "H100": 80,
        "H20": 96,
        "GH200": 96,
        "H200": 141,
        "B200": 180,
        "B300": 270,
    }.items()
}

#: Of a GPU's memory, what titles may take together.
_FREE_SHARE = 0.9

#: More gain nothing: each keeps a CPU core busy beside the GPU, too.
_MOST_TITLES = 8


def gpu_share(title_bytes: int | None, gpu_bytes: int | None) -> float:
    """Share of a GPU that a title asks for, so that all that fit lie on it together; 1 where either is not known."""
    if not title_bytes or not gpu_bytes:
        return 1.0
    titles = max(1, min(_MOST_TITLES, int(_FREE_SHARE * gpu_bytes / title_bytes)))
    return int(10_000 / titles) / 10_000  # as fine as Ray counts, and never so much that the last does not fit


def least_gpu_memory(nodes: Sequence[Sequence[str]]) -> int | None:
    """Memory of the smallest GPU of nodes with GPUs, from the names of each one's resources; None: not all are known.

    None, too, where there is no node.
    """
    kinds = [
        {kind[1] for name in names if (kind := re.fullmatch(r"accelerator_type:(?:NVIDIA-)?(.+)", name))}
        for names in nodes
    ]
    memory = [min((GPU_MEMORY_BYTES.get(kind, 0) for kind in of_node), default=0) for of_node in kinds]
    return min(memory, default=0) or None
