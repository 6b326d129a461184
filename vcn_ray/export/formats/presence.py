"""When each character is on screen in a video: tracks, those that follow one another as one; and what else of times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from vcn_ray.export.formats.by_video import VideoTracks

#: What to tell where there is no presence at all.
NOBODY = "all tracks are Unknown, which this format leaves out, so that nobody is in it"

_FRAME_S = 0.04  # where not even the faces tell how long a frame is: one alone, of a video whose rate nobody knows


class Presence(NamedTuple):
    """A character on screen: from its first frame to the end of its last, in seconds; and by which tracks."""

    who: str
    start_s: float
    end_s: float
    track_ids: tuple[int, ...]


def presences_of(video: VideoTracks, join_s: float = 0.0) -> list[Presence]:
    """Who is on screen when, by time; Unknown tracks are left out.

    Args:
        video: its tracks.
        join_s: a character that is away for so long, or less, is shown without a gap. By 0 those tracks are joined
            that overlap or follow one another without a frame between.
    """
    frame_s = frame_duration_s(video)
    joined: dict[str, list[Presence]] = {}
    for one in _by_track(video, frame_s):
        own = joined.setdefault(one.who, [])
        if own and one.start_s <= own[-1].end_s + max(join_s, frame_s / 2):
            before = own[-1]
            own[-1] = Presence(
                one.who, before.start_s, max(before.end_s, one.end_s), (*before.track_ids, *one.track_ids)
            )
        else:
            own.append(one)
    return sorted((one for own in joined.values() for one in own), key=lambda one: one[1:])


def frame_duration_s(video: VideoTracks) -> float:
    """How long a frame is shown, in seconds; as the faces have it where the video's own rate is not known."""
    if video.facts.fps is not None:
        return 1 / video.facts.fps
    frame, time_s = (np.unique(video.faces[name].to_numpy()) for name in ("frame", "time_s"))
    if len(frame) < 2 or time_s[-1] <= time_s[0]:
        return _FRAME_S
    return float((time_s[-1] - time_s[0]) / (frame[-1] - frame[0]))


def duration_s(video: VideoTracks) -> float:
    """How long a video is, in seconds; to the end of its last face where it is not known."""
    if video.facts.duration_s is not None:
        return video.facts.duration_s
    return float(video.faces["time_s"].to_numpy().max(initial=0.0)) + frame_duration_s(video)


def _by_track(video: VideoTracks, frame_s: float) -> Iterable[Presence]:
    """Each known track, by time."""
    track, time_s = video.faces["track_id"].to_numpy(), video.faces["time_s"].to_numpy()
    ids, first = np.unique(track, return_index=True)  # faces are in order of frame
    last = len(track) - 1 - np.unique(track[::-1], return_index=True)[1]
    for n in np.argsort(time_s[first], kind="stable"):
        who = video.who[first[n]]
        if who is not None:
            yield Presence(who, float(time_s[first[n]]), float(time_s[last[n]]) + frame_s, (int(ids[n]),))
