"""The same done for many things, by whoever does the work: what has no steps, markers or store of its own.

`map_here` is this process; `on_ray.mapping.map_on_ray` a cluster; `factory.MAPPERS` has both by name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

from vcn_ray.config import RunOptions

T_contra = TypeVar("T_contra", contravariant=True)
T = TypeVar("T")
U = TypeVar("U")
U_co = TypeVar("U_co", covariant=True)

#: Hears of the item at this place that so much of so much is done.
Hear = Callable[[int, int, int], None]


class Work(Protocol[T_contra, U_co]):
    """Does one thing with so many threads, and tells how far it is; never raises for what is wrong with the item."""

    def __call__(self, item: T_contra, tell: Callable[[int, int], None], threads: int) -> U_co:
        """What became of the item."""


class Mapper(Protocol):
    """Gives (place of the item, what became of it) as they are done, in any order."""

    def __call__(
        self, work: Work[T, U], items: Sequence[T], lost: Callable[[T, str], U], options: RunOptions, hear: Hear
    ) -> Iterator[tuple[int, U]]:
        """Do it for all items.

        Args:
            work: what is done.
            items: for which, each small.
            lost: what became of an item whose worker died, again and again; given a sentence.
            options: where the work is done, and with how many CPUs.
            hear: of progress.
        """


def map_here(
    work: Work[T, U], items: Sequence[T], lost: Callable[[T, str], U], options: RunOptions, hear: Hear
) -> Iterator[tuple[int, U]]:
    """One after the other in this process, each with all CPUs. See `Mapper`."""
    threads = options.num_cpus or os.cpu_count() or 1
    for place, item in enumerate(items):
        yield place, work(item, partial(hear, place), threads)
