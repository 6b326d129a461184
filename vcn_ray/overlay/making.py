"""One video made: decoded, drawn on, encoded, and put into its place whole."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow.compute as pc

from vcn_ray.config import ModelOptions
from vcn_ray.errors import InputError, VcnError
from vcn_ray.export.render import several
from vcn_ray.inputs.titles import slug
from vcn_ray.models.loading import INSTALLED, FaceModels
from vcn_ray.overlay.containers import KINDS, best_ending, check_holds, kind_of
from vcn_ray.overlay.drawing import BoxDrawer
from vcn_ray.overlay.hiding import Hider
from vcn_ray.overlay.labels import missing_letters
from vcn_ray.overlay.picture_format import PictureFormat
from vcn_ray.overlay.pipeline import looked_at, read_ahead
from vcn_ray.overlay.planes import Canvas
from vcn_ray.overlay.task import VideoMade, VideoTask
from vcn_ray.overlay.tracks_in_frames import Shots, VideoTracks, read_tracks
from vcn_ray.overlay.writing import FilmWriter
from vcn_ray.storage.store import Store
from vcn_ray.tracks.container import footage_streams, open_container
from vcn_ray.tracks.decode import read_frames
from vcn_ray.tracks.probe import probe_video, video_fingerprint
from vcn_ray.tracks.video_info import VideoInfo

#: Tells that so many frames of so many are done.
Tell = Callable[[int, int], None]

_TELL_EVERY_S = 0.5
_NEAR_FRAMES = 250


def make_video(task: VideoTask, tell: Tell, threads: int, models: FaceModels = INSTALLED) -> VideoMade:
    """Make a video; never raises for what is wrong with it, so that the others of a season go on.

    Args:
        task: what is to be made of which video.
        tell: hears how far it is.
        threads: of the decoder, the detector and the encoder each.
        models: what the name of the detector's pack stands for.
    """
    started = time.monotonic()
    try:
        made = _make(task, tell, threads, models)
    except VcnError as error:
        return VideoMade(task.label, error=str(error))
    except Exception as error:  # as of a run: one video's fault stays with it
        text = f"{task.label}: unexpected {type(error).__name__}: {error}"
        return VideoMade(task.label, error=text, trace=traceback.format_exc())
    return replace(made, seconds=time.monotonic() - started)


def film_info(task: VideoTask) -> VideoInfo:
    """What is known of the task's video; `InputError` where it is gone or another one lies there."""
    found = None
    with suppress(VcnError, OSError):
        found = video_fingerprint(task.path)
    if found is None:
        raise InputError(
            f"{task.path} is not there any more, or cannot be read: put it back there, or run `vcn-ray run` with its "
            "new place into the same folder, which keeps what is done"
        )
    if found != task.fingerprint:
        raise InputError(
            f"{task.path} is another film than the one that was run: put that back there, or run `vcn-ray run` again"
        )
    work, key = Store(task.title).child("work"), f"probe/{slug(task.video)}.json"
    if work.exists(key):
        return replace(VideoInfo.from_json(work.read_json(key)), path=task.path, version="")
    return probe_video(task.path)


def supercut_parts(tracks: VideoTracks, only: frozenset[int]) -> list[tuple[int, int]]:
    """First frame, and the one after the last, of each appearance of these clusters, in order.

    As in a stringout (`export.editorial`), tracks that touch or overlap are one appearance.
    """
    places = np.flatnonzero(np.isin(tracks.cluster, list(only)))
    parts: list[tuple[int, int]] = []
    for first, last in sorted(tracks.extent(int(place)) for place in places):
        if parts and first <= parts[-1][1]:
            parts[-1] = (parts[-1][0], max(parts[-1][1], last + 1))
        else:
            parts.append((first, last + 1))
    return parts


def _make(task: VideoTask, tell: Tell, threads: int, models: FaceModels) -> VideoMade:
    results, place = Store(task.title), Store(task.place)
    info = film_info(task)
    with open_container(info.path, info.version) as container:
        name = task.name
        if os.path.splitext(name)[1].lower() not in KINDS:
            name += best_ending(info.path, container)
        if task.part is None and task.only is None:
            check_holds(name, info.path, container)
        pictures = len(footage_streams(container))
    tracks = read_tracks(results, task.video)
    parts = [task.part] if task.part is not None else None
    if task.only is not None:
        parts = supercut_parts(tracks, task.only)
        if not parts:
            raise InputError(f"{task.label}: nobody of whom a supercut was asked is seen in it")
    remarks = [f"the first of {pictures} picture streams alone is written"] if pictures > 1 else []
    drawer = hider = None
    if task.boxes:
        drawer = BoxDrawer(tracks, task.names, task.colours, info)
        missing = missing_letters(list(task.names.values()))
        if missing:
            remarks.append(
                f"no font of this machine has {missing}, drawn as boxes: install one that has, such as Noto Sans CJK"
            )
    if task.hiding is not None:
        pack = models.load(ModelOptions(pack=task.hiding.look.pack))
        open_detector = partial(pack.detector, kind=task.hiding.look.detector)
        hider = Hider(tracks, task.hiding, _shots(results, task.video), info, open_detector)
        if hider.unsure:
            remarks.append(
                f"{several(hider.unsure, 'track')} of who may be seen hidden as well, being less sure than "
                f"{task.hiding.least:.0%} to be theirs: --sure says how sure is enough"
            )
    with place.new_file(name) as path:
        frames, found = _write(path, kind_of(name), task, info, parts, drawer, hider, tell, threads, remarks)
    return VideoMade(
        task.label, place.where(name), frames=frames, hidden_faces=found, remarks=tuple(dict.fromkeys(remarks))
    )


def _write(
    path: str,
    kind: str,
    task: VideoTask,
    info: VideoInfo,
    parts: list[tuple[int, int]] | None,
    drawer: BoxDrawer | None,
    hider: Hider | None,
    tell: Tell,
    threads: int,
    remarks: list[str],
) -> tuple[int, int]:
    """Write the file; gives its frames, and how many faces were hidden in them that are of no track."""
    total = info.frames if parts is None else sum(end - first for first, end in parts)
    frames = read_ahead(_frames(info, parts, threads))
    looked = looked_at(frames, hider.look if hider else None, hider.reach if hider else 0, threads)
    done, faces, told = 0, 0, time.monotonic()
    writer: FilmWriter | None = None
    picture: PictureFormat | None = None
    tell(0, total)
    try:
        for number, decoded, looks in looked:
            if writer is None or picture is None:
                picture = PictureFormat(decoded, info)
                writer = FilmWriter(
                    path, kind, info, picture, parts, task.start_timecode, task.crf, task.preset, threads
                )
                remarks += writer.remarks
            frame = picture.convert(decoded)
            if hider is not None:
                canvas = Canvas(frame)
                for box in hider.boxes(number, looks):
                    canvas.fill(box)
                faces += sum(len(found) for at, found in looks if at == number)
            if drawer is not None:
                drawer.draw(number, frame)
            writer.add(number, frame)
            done += 1
            if time.monotonic() - told > _TELL_EVERY_S:
                told = time.monotonic()
                tell(done, total)
        if writer is None:
            raise InputError(f"{info.path}: none of its frames can be decoded; check that it plays")
        writer.finish()
    except BaseException:
        if writer is not None:
            writer.abandon()
        raise
    finally:
        looked.close()
    tell(total, total)
    return done, faces


def _frames(info: VideoInfo, parts: list[tuple[int, int]] | None, threads: int) -> Iterator[tuple[int, Any]]:
    todo = [(0, info.frames)] if parts is None else list(parts)
    while todo:
        first, end = todo.pop(0)
        for number, frame in read_frames(info, first, threads):
            # A seek decodes from a key frame before the target on: what is near is sooner reached by going on.
            while number >= end and todo and todo[0][0] - number < _NEAR_FRAMES:
                first, end = todo.pop(0)
            if number >= end:
                break
            if number >= first:
                yield number, frame


def _shots(results: Store, video: str) -> Shots:
    """Where the shots of a video begin; not known where the title's working data is gone."""
    work = results.child("work")
    if not work.exists("tracks/shots.parquet"):
        return Shots(np.zeros(0, np.int64))
    table = work.read_table("tracks/shots.parquet", ["video", "first_frame"])
    return Shots(np.sort(table.filter(pc.equal(table["video"], video))["first_frame"].to_numpy()))
