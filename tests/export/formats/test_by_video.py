"""A season's faces, video by video: each has its own, however many there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from vcn_ray.export.formats.by_video import tracks_by_video


def test_each_video_has_its_own_faces_in_a_season_of_many_titles() -> None:
    """Arrow gives groups in another order than their rows' where there are many."""
    random = np.random.default_rng(4)
    names = [f"{number:.6f}" for number in random.random(400)]
    rows = [(name, number, frame) for number, name in enumerate(names) for frame in range(random.integers(1, 9))]
    titles, numbers, frames = zip(*(rows[place] for place in random.permutation(len(rows))), strict=True)
    columns = {"title": titles, "video": [f"{title}.mp4" for title in titles], "frame": frames, "track_id": numbers}
    faces = pa.table({name: list(column) for name, column in columns.items()})
    nobody = {"cast_id": pa.nulls(len(rows), pa.int64()), "character": pa.nulls(len(rows), pa.string())}
    for name, column in nobody.items():
        faces = faces.append_column(name, column)
    season: Any = SimpleNamespace(faces=faces, videos=[])
    found = {video.facts.title: video.faces for video in tracks_by_video(season)}
    assert sorted(found) == sorted(names)
    for number, name in enumerate(names):
        assert found[name]["title"].unique().to_pylist() == [name]
        assert found[name]["frame"].to_pylist() == [frame for title, _, frame in rows if title == name]
        assert found[name]["track_id"].unique().to_pylist() == [number]
