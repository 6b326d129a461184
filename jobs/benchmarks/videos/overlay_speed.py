"""`vcn-ray overlay` beside a bare loop that decodes a film and encodes it again."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

import vcn_ray
from vcn_ray.overlay.making import film_info, make_video
from vcn_ray.overlay.picture_format import PictureFormat
from vcn_ray.overlay.pipeline import read_ahead
from vcn_ray.overlay.request import OverlayRequest
from vcn_ray.overlay.season_videos import video_tasks
from vcn_ray.overlay.task import VideoTask
from vcn_ray.overlay.writing import FilmWriter
from vcn_ray.tracks.decode import read_frames


def overlay_speed(results: str, title: str | None, repeats: int, frames: int | None) -> None:
    """Frames a second of boxes and of hidden faces, and of decoding and encoding alone, in turn.

    By wall time, and by the CPU time of this process, to which others on the machine do not count.

    Args:
        results: folder of a finished season, whose first video (of the title) is taken.
        title: None: the first.
        repeats: of each.
        frames: so many from the start alone; None: all.
    """
    season, threads = vcn_ray.load(results), os.cpu_count() or 1
    whom = season.cast[0].label
    with tempfile.TemporaryDirectory(prefix="vcn-benchmark-") as folder:
        wanted = {"boxes": OverlayRequest(), "hidden": OverlayRequest(blur=[whom])}
        tasks = {name: video_tasks(season, f"{folder}/", request, title)[0] for name, request in wanted.items()}
        if frames is not None:
            tasks = {name: replace(task, part=(0, frames)) for name, task in tasks.items()}
        ways: dict[str, Callable[[], int]] = {"decode + encode": lambda: _bare(tasks["boxes"], folder, threads)}
        ways |= {name: lambda task=task: _made(task, threads) for name, task in tasks.items()}  # type: ignore[misc]
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, way in ways.items():
                wall, cpu = time.monotonic(), time.process_time()
                count = way()
                taken[name].append((count / (time.monotonic() - wall), count / (time.process_time() - cpu)))
    bare = np.median(taken["decode + encode"], axis=0)
    for name, speeds in taken.items():
        wall_fps, cpu_fps = np.median(speeds, axis=0)
        shares = f"{wall_fps / bare[0]:4.0%} by wall time, {cpu_fps / bare[1]:4.0%} by CPU time"
        print(f"{name:15} {wall_fps:6.1f} frames/s   {cpu_fps:6.1f} frames per CPU second   {shares}")
    print(f"medians of {repeats} runs, {threads} threads, {tasks['boxes'].path}; hidden: {whom} and who may be that")


def _bare(task: VideoTask, folder: str, threads: int) -> int:
    """The same decoder and encoder, side by side, and nothing between them; gives the number of frames."""
    info = film_info(task)
    last = info.frames if task.part is None else task.part[1]
    writer: FilmWriter | None = None
    count = 0
    for number, frame in read_ahead(read_frames(info, threads=threads)):
        if number >= last:
            break
        if writer is None:
            picture = PictureFormat(frame, info)
            path = str(Path(folder, "bare"))
            parts = None if task.part is None else [task.part]
            writer = FilmWriter(path, "mp4", info, picture, parts, "", task.crf, task.preset, threads)
        frame.pict_type = 0
        writer.add(number, frame)
        count += 1
    if writer is not None:
        writer.finish()
    return count


def _made(task: VideoTask, threads: int) -> int:
    made = make_video(task, lambda done, total: None, threads)
    if made.error:
        raise RuntimeError(made.error)
    return made.frames
