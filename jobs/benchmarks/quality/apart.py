"""A title cut by time into titles of their own, each adapted apart, and their characters matched to one cast."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.benchmarks.quality.footage.title_tracks import TitleTracks, load_title_views
from vcn_ray.pipeline.adaptation_loop import adapt_and_cluster
from vcn_ray.pipeline.outputs.cast import find_cast
from vcn_ray.pipeline.outputs.found import FinishedTitle, read_found
from vcn_ray.pipeline.outputs.title_outputs import finish_title
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store

#: Name of the method: the default on each part, then the cast.
TITLES_APART = "titles apart, then the cast"

_MOST_PARTS, _PART_TRACKS = 3, 20


def find_apart(work: TitleWork, folder: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Cut a title into up to three of 20 tracks or more (two at least), and find their cast as a season's.

    Args:
        work: on the title, with its views.
        folder: for the season.

    Returns:
        track_id (n,), the member of the cast of each, -1 for Unknown, and seconds without those of the views.
    """
    tracks = TitleTracks.read(work)
    columns = (tracks.tracks[name].to_pylist() for name in ("video", "first_frame", "track_id"))
    by_time = np.array([track for _, _, track in sorted(zip(*columns, strict=True))], np.int64)
    parts = np.array_split(by_time, min(_MOST_PARTS, max(2, len(by_time) // _PART_TRACKS)))
    frame_s = dict.fromkeys(tracks.tracks["video"].to_pylist(), 1 / 25)  # only screen times depend on it
    out, views, titles = Store(str(folder / "season")), load_title_views(work), []
    started = time.perf_counter()
    for number, part in enumerate(parts):
        title = FinishedTitle(f"part {number}", out.child("titles", f"part-{number}"))
        own = TitleWork(title.work, work.options, work.models)
        tracks.of_tracks(part.tolist()).write(own, views)
        adapt_and_cluster(own, device="cpu", threads=1, on_event=lambda _: None)
        finish_title(title.work, title.id, title.results, frame_s)
        title.work.mark_done("results", str(number))
        titles.append(title)
    member_of = find_cast(out, titles, work.options.cluster).member_of
    found, member = [], []
    for title in titles:
        table = read_found(title)  # of a track that was cut, the first piece: others have numbers of their own
        table = table.filter(pc.is_in(table["track_id"], pa.array(by_time)))
        found += table["track_id"].to_pylist()
        member += [member_of.get((title.id, cluster), -1) for cluster in table["cluster_id"].to_pylist()]
    return np.array(found, np.int64), np.array(member, np.int64), time.perf_counter() - started
