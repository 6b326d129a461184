"""A video's given faces in its title's working store: there for workers until the title's tracks are joined.

The marker stays: it says that the video's tracks were given, and by which content.
"""

from __future__ import annotations

import pyarrow as pa

from vcn_ray.storage.store import Store
from vcn_ray.tracks.given.finder import GivenFaces
from vcn_ray.tracks.given.placing import GIVEN


def _step(video: str) -> str:
    return f"given/{video}"


def store_given(work: Store, video: str, faces: pa.Table | None, digest: str) -> None:
    """Leave a video's given faces for workers.

    Args:
        work: the title's working store.
        video: key of the video there.
        faces: `GIVEN`; None where faces are to be looked for.
        digest: of the content.
    """
    if faces is None:
        work.delete(f"{_step(video)}.parquet")
        work.begin(_step(video))
    elif not (work.is_done(_step(video), digest) and work.exists(f"{_step(video)}.parquet")):
        work.begin(_step(video))
        work.write_table(f"{_step(video)}.parquet", faces, GIVEN)
        work.mark_done(_step(video), digest)


def read_given(work: Store, video: str) -> GivenFaces | None:
    """A video's given faces, None where none were given."""
    return GivenFaces(work.read_table(f"{_step(video)}.parquet")) if is_given(work, video) else None


def is_given(work: Store, video: str) -> bool:
    """Whether a video's tracks were given."""
    return work.exists(f"{_step(video)}.done.json")


def clear_given(work: Store, video: str) -> None:
    """Take the faces away once the title's tracks hold them; what says that they were given stays."""
    work.delete(f"{_step(video)}.parquet")
