"""Several seasons as one long title: their stage 1 and cached views put together, nothing extracted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from jobs.benchmarks.quality.footage.cases import write_labels
from jobs.benchmarks.quality.footage.seasons import Extracted, Footage, extraction_digest
from jobs.benchmarks.quality.footage.title_tracks import TitleTracks, load_title_views
from vcn_ray.adapt.cache import CachedViews, concat_views
from vcn_ray.config import Options
from vcn_ray.evaluate.ground_truth import GroundTruth, read_ground_truth
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.schemas import CANNOT_LINK, CROPS, SHOTS, STAGE1_FACES, STAGE1_TRACKS
from vcn_ray.storage.store import Store, digest
from vcn_ray.track_files.content import file_name

#: Raise it whenever a join comes out otherwise.
_VERSION = 1

_SHOTS_KEY = "tracks/shots.parquet"


@dataclass(frozen=True)
class Part:
    """What a season brings into a joined title."""

    tracks: TitleTracks
    shots: pa.Table  # SHOTS
    names: Mapping[str, str]  # file name of each video: its name in the joined title


def join_seasons(
    name: str, seasons: Sequence[Extracted], options: Options, people: Mapping[str, Mapping[str, str]], cache: str
) -> Extracted:
    """The title that holds all tracks of all of these seasons, unless the cache has it.

    Its working store is what the pipeline would read: videos, shots, tracks and crops renumbered in the order given,
    cannot-links kept, the cached views under their crops' new numbers.

    Args:
        name: of the joined season.
        seasons: what is joined, extracted under `options`.
        options: of their extraction.
        people: by season, who each of its labels is among all seasons, see `folds.people_of`.
        cache: folder of all that is kept.
    """
    footages = [season.footage for season in seasons]
    names = [_names(number, footage) for number, footage in enumerate(footages)]
    truth = _labels(footages, names, people)
    works = [TitleWork(Store(season.work), options) for season in seasons]
    of_labels = [getattr(truth, field).tolist() for field in ("video", "frame", "boxes", "identity")]
    of_tracks = [work.store.read_json("tracks.done.json")["digest"] for work in works]
    key = digest(_VERSION, extraction_digest(options), of_tracks, of_labels, [str(shot) for shot in truth.shot])
    folder = Path(cache).absolute() / "joined" / f"{len(seasons)}-{key}"
    store, labels = Store(str(folder / "work")), folder / "ground_truth.csv"
    if not store.is_done("joined", key):
        folder.mkdir(parents=True, exist_ok=True)
        write_labels(truth, labels)
        parts = [Part(TitleTracks.read(work), _shots(work.store), own) for work, own in zip(works, names, strict=True)]
        tracks, shots = join_tracks(parts)
        tracks.write(TitleWork(store, options), _views(works))
        store.write_table(_SHOTS_KEY, shots, SHOTS)
        store.mark_done("joined", key)
    videos = tuple(video for footage in footages for video in footage.videos)
    return Extracted(Footage(name, "", videos, str(labels), tuple(f.season for f in footages)), store.url)


def join_tracks(parts: Sequence[Part]) -> tuple[TitleTracks, pa.Table]:
    """The parts as one title, one after the other, and its shots; tracks and shots are numbered on.

    The joined title's cached views are those of the parts, one after the other.
    """
    tables: list[list[pa.Table]] = []
    view_rows = []
    tracks_before = shots_before = views_before = 0
    for part in parts:
        before = dict.fromkeys(("track_id", "track_a", "track_b"), tracks_before) | {"shot": shots_before}
        own = (part.tracks.faces, part.tracks.tracks, part.tracks.crops, part.tracks.cannot_link, part.shots)
        tables.append([_renumbered(table, before, part.names) for table in own])
        view_rows.append(part.tracks.view_row + views_before)
        tracks_before += 1 + max(part.tracks.tracks["track_id"].to_pylist(), default=-1)
        shots_before += 1 + max([*part.tracks.faces["shot"].to_pylist(), *part.shots["shot"].to_pylist()], default=-1)
        views_before += len(part.tracks.view_row)
    schemas = (STAGE1_FACES, STAGE1_TRACKS, CROPS, CANNOT_LINK, SHOTS)
    faces, tracks, crops, links, shots = (
        pa.concat_tables([schema.empty_table(), *(table.cast(schema) for table in of_kind)]).combine_chunks()
        for schema, of_kind in zip(schemas, zip(*tables, strict=True), strict=True)
    )
    return TitleTracks(faces, tracks, crops, links, np.concatenate(view_rows)), shots


def _renumbered(table: pa.Table, before: Mapping[str, int], names: Mapping[str, str]) -> pa.Table:
    """The table with `before` added to numbers of its columns of these names, and its videos renamed."""
    for place, column in enumerate(table.schema):
        values = None
        if column.name in before:
            values = pa.array(table[column.name].to_numpy() + before[column.name], column.type)
        elif column.name == "video":
            values = pa.array([names[file_name(video)] for video in table["video"].to_pylist()], column.type)
        if values is not None:
            table = table.set_column(place, column, values)
    return table


def _names(number: int, footage: Footage) -> dict[str, str]:
    """New name of each video of the season that is joined as number so and so: no other video's."""
    season = footage.season.replace("/", "_").replace("\\", "_")
    return {file_name(video): f"{number:03d} {season} {file_name(video)}" for video in footage.videos}


def _labels(
    footages: Sequence[Footage], names: Sequence[Mapping[str, str]], people: Mapping[str, Mapping[str, str]]
) -> GroundTruth:
    parts = []
    for footage, new in zip(footages, names, strict=True):
        truth = read_ground_truth(footage.ground_truth).of_videos(set(new))
        video = np.array([new[video] for video in truth.video], object)
        who = np.array([people[footage.season][identity] for identity in truth.identity], object)
        parts.append((video, truth.frame, truth.boxes, who, truth.shot))
    return GroundTruth(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _views(works: Sequence[TitleWork]) -> CachedViews:
    parts = [load_title_views(work) for work in works]
    return concat_views([part for part in parts if len(part)] or parts[:1])


def _shots(store: Store) -> pa.Table:
    return store.read_table(_SHOTS_KEY) if store.exists(_SHOTS_KEY) else SHOTS.empty_table()
