"""Motion tracking of faces through one shot: BoT-SORT of `trackers`, on boxes alone.

Camera-motion compensation is off: it needs the frames, costs more than everything but detection, and faces are large
against the camera's motion from frame to frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from trackers import BoTSORTTracker

from vcn_ray.models.detection import Detections

#: Below this a detection only prolongs a track that is there; from it on it may start one.
START_SCORE = 0.6
#: Detections below this are not used at all. (The tracker itself drops those up to 0.1.)
KEEP_SCORE = 0.2
_LOST_S = 1.0
_MATCH_SIMILARITY = 0.2
_WEAK_MATCH_SIMILARITY = 0.5
_START_MATCH_SIMILARITY = 0.2


@dataclass
class _Born:
    """A tracklet of the library with the number that we gave it."""

    tracklet: object
    number: int


@dataclass
class _Boxes:
    """What the library's tracker uses of `supervision.Detections`, whose checks take longer than tracking."""

    xyxy: np.ndarray  # (n, 4)
    confidence: np.ndarray  # (n,)
    source: np.ndarray  # (n,) places of the faces as given: the library reorders them and drops some
    tracker_id: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, index: np.ndarray) -> _Boxes:
        return _Boxes(self.xyxy[index], self.confidence[index], self.source[index])


class ShotTracker:
    """Gives the faces of one shot track numbers, 0, 1, ... in order of birth.

    A track exists for us from its first box on, also while the library still withholds its id; `confirmed` tells
    which of them lasted. Boxes that start or prolong no track get None.
    """

    def __init__(self, fps: float, detect_every_frames: int):
        self._tracker = BoTSORTTracker(
            lost_track_buffer=round(30 * _LOST_S),
            frame_rate=max(fps / detect_every_frames, 1.0),
            track_activation_threshold=START_SCORE,
            high_conf_det_threshold=START_SCORE,
            minimum_consecutive_frames=2,
            instant_first_frame_activation=False,  # every track has to be seen twice
            minimum_iou_threshold_first_assoc=_MATCH_SIMILARITY,
            minimum_iou_threshold_second_assoc=_WEAK_MATCH_SIMILARITY,
            minimum_iou_threshold_unconfirmed_assoc=_START_MATCH_SIMILARITY,
            enable_cmc=False,
        )
        self._alive: dict[int, _Born] = {}
        self._by_library_id: dict[int, int] = {}
        self._count = 0
        self.confirmed: set[int] = set()

    def update(self, faces: Detections, time_s: float) -> list[int | None]:
        """Track number of each face of the next frame. Times (seconds) have to rise; they matter at variable rates."""
        numbers: list[int | None] = [None] * len(faces.scores)
        if not numbers and not self._tracker.tracks:
            return numbers  # nothing to match, and the time before a track is born counts for nothing
        boxes = np.asarray(faces.boxes, np.float64)
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).reshape(-1, 4)
        given = _Boxes(corners, np.asarray(faces.scores, np.float64), np.arange(len(boxes)))
        tracked = self._tracker.update(given, timestamp=time_s)  # type: ignore[arg-type]
        self._note_births()
        sources = getattr(tracked, "source", np.zeros(0, int))  # the library's own empty answer has none
        for source, library_id in zip(sources, np.asarray(tracked.tracker_id), strict=True):
            number = self._by_library_id.get(int(library_id))
            numbers[int(source)] = self._newborn(corners[source]) if number is None else number
        return numbers

    def _note_births(self) -> None:
        """Number the tracklets that appeared, and note the ids that the library has given out since."""
        alive: dict[int, _Born] = {}
        for tracklet in self._tracker.tracks:
            born = self._alive.get(id(tracklet))
            if born is None:
                born = _Born(tracklet, self._count)
                self._count += 1
            if tracklet.tracker_id != -1:
                self._by_library_id[int(tracklet.tracker_id)] = born.number
                self.confirmed.add(born.number)
            alive[id(tracklet)] = born
        self._alive = alive

    def _newborn(self, corners: np.ndarray) -> int | None:
        """The unconfirmed track that was born from exactly this box in this frame, None where there is none."""
        for born in self._alive.values():
            tracklet = born.tracklet
            if tracklet.tracker_id == -1 and np.abs(tracklet.get_state_bbox() - corners).max() < 1e-3:  # type: ignore[attr-defined]
                return born.number
        return None
