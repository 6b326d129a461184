"""The given tracks of a title's videos: read where a user says that they are, brought to each video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from vcn_ray.errors import InputError
from vcn_ray.inputs.titles import GivenTracks
from vcn_ray.storage.store import digest
from vcn_ray.tracks.given.placing import content_digest, given_faces
from vcn_ray.tracks.video_info import VideoInfo

#: Raise it when given boxes are brought to a video otherwise, or give other crops.
GIVEN_VERSION = 1


@dataclass(frozen=True)
class GivenVideo:
    """The given faces of a video (`placing.GIVEN`), where they are from, and what they are a digest of."""

    url: str
    faces: pa.Table
    digest: str
    warnings: tuple[str, ...] = ()


def place_tracks(videos: Sequence[tuple[str, VideoInfo, GivenTracks]]) -> dict[str, GivenVideo]:
    """What is given for each video of a title, by its key: (key, video, where its tracks are given) each.

    `InputError` where a file cannot be read, says nothing of any of them, or does not fit a video.
    """
    placed = {}
    for key, info, where in videos:
        file = where.content
        if where.shared and None in file.videos():
            raise InputError(
                f"{where.url}: it does not say which video its tracks are of, and is given for several: add a column "
                "video, name the files of a folder as the videos, or give each title its own"
            )
        faces = given_faces(file, info.name, info, where.fps)
        made = digest(GIVEN_VERSION, content_digest(faces))
        placed[key] = GivenVideo(where.url, faces, made)
    if placed and not any(len(one.faces) for one in placed.values()):
        wanted = ", ".join(info.name for _, info, _ in videos)
        named = sorted({str(video) for _, _, where in videos for video in where.content.videos()})
        raise InputError(f"{videos[0][2].url}: it has no tracks of {wanted}; it has some of: {', '.join(named[:5])}")
    warnings = {
        key: f"{where.url} has no tracks of {info.name}: nobody is looked for there"
        for key, info, where in videos
        if not len(placed[key].faces)
    }
    return {key: replace(one, warnings=(warnings[key],) if key in warnings else ()) for key, one in placed.items()}
