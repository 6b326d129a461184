"""Which parts of a frame are hidden, so that nobody is seen who is not to be: a face is shown only where it is known.

A face stays to be seen where a track says that it is somebody who may be. All else is hidden: other tracks, for a while
before and after them as well, and whatever the detector takes for a face, however unsure, where no such track is. Who
is to be hidden may be in an Unknown track, in none, or before the first frame of one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from vcn_ray.models.detection import FaceDetector, overlaps
from vcn_ray.overlay.task import Hiding
from vcn_ray.overlay.tracks_in_frames import Shots, VideoTracks, extended
from vcn_ray.tracks.decode import Picture
from vcn_ray.tracks.video_info import VideoInfo

#: Faces of a lower score are taken for none; a run starts no track below 0.6.
LEAST_SCORE = 0.3
#: From this intersection over union with a track's box on, a detection is the track's face.
_SAME_FACE_IOU = 0.35
#: A detection of a lower score that has so much of its area in the box of a face that was found is a part of it.
_WEAK_SCORE, _PART_SHARE = 0.6, 0.5
#: What is hidden of a head goes beyond the face's box: by these shares of its width and height, left, up, right, down.
_HEAD = np.array([-0.35, -0.5, 0.35, 0.25])
_TRACK_REACH_S = 0.6  # that a track is hidden before its first and after its last face
_FACE_REACH_S = 0.25  # that a detection without a track is
_GROWTH = 0.03  # per frame away from the track


class Hider:
    """Boxes to hide in the frames of a video. Its `look` may be called from several threads.

    Args:
        tracks: of the video.
        hiding: whose faces stay.
        shots: of the video.
        info: of the video.
        open_detector: a new detector for faces of this score and more, for each thread that looks.
    """

    def __init__(
        self,
        tracks: VideoTracks,
        hiding: Hiding,
        shots: Shots,
        info: VideoInfo,
        open_detector: Callable[[float], FaceDetector],
    ):
        unknown = tracks.cluster < 0
        unsure = tracks.confidence < hiding.least  # not where it is not known
        seen = np.where(unknown, hiding.unknown, np.isin(tracks.cluster, list(hiding.seen)) & ~unsure)
        #: Tracks of those who may be seen that are hidden, since they may be somebody else's.
        self.unsure = int((np.isin(tracks.cluster, list(hiding.seen)) & unsure).sum())
        self.reach = max(1, round(_FACE_REACH_S * info.fps))
        hidden = np.flatnonzero(~seen)
        self._hidden = extended(tracks, hidden, max(1, round(_TRACK_REACH_S * info.fps)), shots, _GROWTH)
        # A moment before it was tracked, a face at the same place is still the same one.
        self._seen = extended(tracks, np.flatnonzero(seen), self.reach, shots, 0.0)
        self._shots, self._info = shots, info
        self._only_shots = None
        if hiding.unknown:
            firsts = [shots.around(tracks.extent(int(place))[0])[0] for place in hidden]
            self._only_shots = frozenset(firsts)
        self._open_detector, self._max_side_px = open_detector, hiding.look.max_side_px
        self._of_thread = threading.local()

    def look(self, number: int, frame: Any) -> np.ndarray:
        """(n, 4) x0, y0, x1, y1 of faces in a frame that no track of somebody to be seen explains."""
        if self._only_shots is not None and self._shots.around(number)[0] not in self._only_shots:
            return np.zeros((0, 4))
        if not hasattr(self._of_thread, "detector"):
            self._of_thread.detector = self._open_detector(LEAST_SCORE)
            self._of_thread.picture = Picture(self._info, self._max_side_px)
        picture: Picture = self._of_thread.picture
        faces = self._of_thread.detector.detect(picture.bgr(frame))
        found = faces.boxes.astype(np.float64) / [*picture.scale, *picture.scale]
        left = np.ones(len(found), bool)
        for _, box in zip(*self._seen.at(number), strict=True):
            track = np.array([*box[:2], *(box[2:] - box[:2])])
            shared = overlaps(found, track) * left
            if not len(shared) or shared.max() < _SAME_FACE_IOU:
                continue
            left[shared.argmax()] = False  # a track is one face, not two
            # Where the face has been found, what is hardly one, within it, is a part of it.
            inside = _share_inside(found, track) >= _PART_SHARE
            left &= ~(inside & (faces.scores < _WEAK_SCORE))
        found = found[left]
        found[:, 2:] += found[:, :2]
        return found

    def boxes(self, number: int, looks: Iterable[tuple[int, np.ndarray]]) -> np.ndarray:
        """(n, 4) x0, y0, x1, y1 of what is hidden in a frame.

        looks: frames up to `reach` away, and what `look` found in each.
        """
        first, end = self._shots.around(number)
        near = [found for at, found in looks if first <= at < end and abs(at - number) <= self.reach]
        faces = np.concatenate([self._hidden.at(number)[1], *near])
        size = faces[:, 2:] - faces[:, :2]
        return faces + np.concatenate([size, size], axis=1) * _HEAD


def _share_inside(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(n,) of the area of (n, 4) boxes, the share that lies in one, all x, y, w, h."""
    shared = np.minimum(boxes[:, :2] + boxes[:, 2:], box[:2] + box[2:]) - np.maximum(boxes[:, :2], box[:2])
    return shared.clip(0).prod(axis=1) / boxes[:, 2:].prod(axis=1)
