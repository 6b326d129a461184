"""One pass over a shard of video: cuts, faces, tracks and crops; frames live and die here.

Frames wait in a short queue until the shot finder has seen enough of what follows to tell whether a shot begins
with them; only then are they searched for faces, so a shard where no shot begins runs no detector.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from vcn_ray import schemas
from vcn_ray.config import TrackOptions
from vcn_ray.models.packs import FacePack
from vcn_ray.tracks.decode import read_frames
from vcn_ray.tracks.given.finder import GivenFaces, GivenFinder
from vcn_ray.tracks.shards import Shard
from vcn_ray.tracks.shotfaces import FaceFinder, Lens, ShotFaces, ShotRows
from vcn_ray.tracks.shots import Boundary, BoundaryFinder, Thumbnailer, context_frames
from vcn_ray.tracks.video_info import VideoInfo

#: How a piece begins that a long take was cut into; `assemble` joins such pieces again.
GRID = "grid"
_PROGRESS_FRAMES = 25


@dataclass(frozen=True)
class ShardResult:
    """Tables of one shard: STAGE1_FACES, SHOTS and CROPS with local shot and track numbers, and figures on the work.

    A shot of transition "grid" continues the one before: `max_shot_s` cut a long take there.
    """

    faces: pa.Table
    shots: pa.Table
    crops: pa.Table
    stats: dict[str, float]


def extract_shard(
    info: VideoInfo,
    shard: Shard,
    pack: FacePack,
    options: TrackOptions,
    on_progress: Callable[[int], None] | None = None,
    decoder_threads: int = 1,
    given: GivenFaces | None = None,
) -> ShardResult:
    """Faces, tracks and crops of the shots that begin in the shard.

    Decodes from a little before the shard to the end of the last shot that begins in it. `on_progress` is called with
    the number of frames done since the call before; over all shards of a video they add up to its frames. Where the
    video's faces are `given`, none are looked for, and tracks have the numbers that they are given with.
    """
    times = ("seconds", "seconds_decode", "seconds_detect", "seconds_align")
    names = ("frames_decoded", "frames_detected", "bytes_read", *times)
    stats = dict.fromkeys(names, 0.0)
    begun = time.perf_counter()
    rows = ShotRows(info, keeps_numbers=given is not None)
    progress = _Progress(on_progress)
    lens: Lens | None = None
    finder: ShotFaces | None = None
    for number, frame, boundary in _judged_frames(info, shard, options, stats, decoder_threads):
        if boundary is not None:
            if finder is not None:
                finder.blended_from(number - boundary.blended_before)
                rows.end_shot(number - 1, finder)
                finder = None
            if number >= shard.end_frame:
                break
            rows.begin_shot(number, boundary.transition)
            lens = lens or Lens(info, pack, options)
            blended_until = number + boundary.blended_after
            if given is not None:
                finder = GivenFinder(info, lens, options, stats, blended_until, given, number)
            else:
                finder = FaceFinder(info, lens, options, stats, blended_until)
        if finder is not None and frame is not None:
            finder.see(number, frame)
        if shard.first_frame <= number < shard.end_frame:
            progress.step()
    else:
        if finder is not None:
            rows.end_shot(info.frames - 1, finder)
    progress.finish(shard.end_frame - shard.first_frame)
    stats["seconds"] = time.perf_counter() - begun
    faces, shots, crops = rows.tables()
    tracks = {face["track_id"] for face in faces} - {None}
    stats |= {"faces": len(faces), "tracks": len(tracks), "crops": len(crops)}
    return ShardResult(
        pa.Table.from_pylist(faces, schema=schemas.STAGE1_FACES),
        pa.Table.from_pylist(shots, schema=schemas.SHOTS),
        pa.Table.from_pylist(crops, schema=schemas.CROPS),
        stats,
    )


def grid_frames(info: VideoInfo, options: TrackOptions) -> int:
    """Distance of the lines that cut long takes, in frames; the lines stand at its multiples in the video."""
    return max(2, round(options.max_shot_s * info.fps))


def _judged_frames(
    info: VideoInfo, shard: Shard, options: TrackOptions, stats: dict[str, float], decoder_threads: int
) -> Iterator[tuple[int, Any, Boundary | None]]:
    """(number, frame or None where it cannot be decoded, how a shot begins with it or None), from the shard's start."""
    start = max(0, shard.first_frame - context_frames(info.fps))
    boundaries, thumbnail = BoundaryFinder(info.fps), Thumbnailer()
    grid = grid_frames(info, options)
    waiting: deque[tuple[int, Any]] = deque()

    def judged(verdicts: list[tuple[int, Boundary | None]]) -> Iterator[tuple[int, Any, Boundary | None]]:
        for number, boundary in verdicts:
            frame = waiting.popleft()[1] if waiting and waiting[0][0] == number else None
            if number < shard.first_frame:
                continue
            if (start == 0 and number == first_read) or (shard.starts and number == shard.first_frame):
                boundary = Boundary("start")
            elif boundary is None and number % grid == 0:
                boundary = Boundary(GRID)
            yield number, frame, boundary

    first_read: int | None = None

    def read(more: int) -> None:
        stats["bytes_read"] += more

    frames = read_frames(info, start, decoder_threads, read)
    while True:
        begun = time.perf_counter()
        number, frame = next(frames, (None, None))
        if number is None:
            break
        if first_read is None:
            first_read = number
        picture = thumbnail(frame)
        waiting.append((number, frame))
        stats["seconds_decode"] += time.perf_counter() - begun
        stats["frames_decoded"] += 1
        yield from judged(boundaries.push(number, picture))
    yield from judged(boundaries.finish())


class _Progress:
    """Tells of frames in batches, and what is missing to the whole at the end."""

    def __init__(self, on_frames: Callable[[int], None] | None):
        self._on_frames = on_frames
        self._pending = 0
        self._told = 0

    def step(self) -> None:
        self._pending += 1
        if self._pending >= _PROGRESS_FRAMES:
            self._flush()

    def finish(self, total: int) -> None:
        self._pending = total - self._told
        self._flush()

    def _flush(self) -> None:
        if self._on_frames is not None and self._pending:
            self._on_frames(self._pending)
        self._told += self._pending
        self._pending = 0
