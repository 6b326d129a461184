"""What a title's iterations depend on, and what they do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_title import tiny_work

from vcn_ray.pipeline.digests import iterations_digest
from vcn_ray.storage.store import Store


@pytest.mark.parametrize(
    ("crops", "memory_mb", "others"),
    [
        (100, 1_700, [64, 1_000, 50_000]),  # all pairs fit, whatever the option says
        (3_000, 1_700, [1_000]),
    ],
)
def test_memory_that_decides_nothing_has_no_title_adapted_again(
    tmp_path: Path, crops: int, memory_mb: int, others: list[int]
) -> None:
    store = Store(tmp_path)
    store.mark_done("tracks", "digest", counts={"crops": crops})
    assert {_digest(store, memory_mb)} == {_digest(store, other) for other in others}


@pytest.mark.parametrize("counts", [{"counts": {"crops": 5_000}}, {}])
def test_where_pairs_might_not_fit_the_memory_counts(tmp_path: Path, counts: dict[str, dict[str, int]]) -> None:
    store = Store(tmp_path)
    store.mark_done("tracks", "digest", **counts)
    assert len({_digest(store, memory_mb) for memory_mb in (64, 1_000, 1_700)}) == 3


def _digest(store: Store, memory_mb: int) -> str:
    return iterations_digest(tiny_work(store, {"memory_mb": memory_mb}), "cpu", 1)
