"""The faces of one shot where their boxes are given: judged and sampled as those are that were found."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow as pa

from vcn_ray.config import TrackOptions
from vcn_ray.tracks.crops import Cutout
from vcn_ray.tracks.judge import INTERPOLATED, WITHOUT_LANDMARKS, sharpness
from vcn_ray.tracks.shotfaces import Face, Lens, ShotFaces
from vcn_ray.tracks.video_info import VideoInfo


class GivenFaces:
    """The faces of a video by frame. table: `placing.GIVEN`, in order of frames."""

    def __init__(self, table: pa.Table):
        self._frames = table["frame"].to_numpy()
        self._boxes = np.stack([table[name].to_numpy().astype(np.float64) for name in "xywh"], axis=1)
        self._scores = table["score"].to_pylist()
        self._landmarks = table["landmarks"].to_pylist()
        self._tracks = table["track_id"].to_pylist()

    def between(self, first_frame: int, end_frame: int) -> list[Face]:
        """Those of the frames from the first to before the end, not judged yet."""
        rows = range(*np.searchsorted(self._frames, [first_frame, end_frame]).tolist())
        return [
            Face(int(self._frames[n]), self._boxes[n], self._scores[n], self._marks(n), None, None, self._tracks[n])
            for n in rows
        ]

    def _marks(self, row: int) -> np.ndarray | None:
        marks = self._landmarks[row]
        return None if marks is None else np.array(marks, np.float64).reshape(5, 2)


class GivenFinder(ShotFaces):
    """Looks at the given faces of one shot; feed its frames in order with `see`.

    Landmarks that are not given are found in the box where a crop is wanted: a crop's, as stage 1 finds them anew.
    A face without landmarks gives no crop, and one without a score, which nobody saw, neither.
    """

    def __init__(
        self,
        info: VideoInfo,
        lens: Lens,
        options: TrackOptions,
        stats: dict[str, float],
        blended_until: int,
        given: GivenFaces,
        first_frame: int,
    ):
        super().__init__(info, lens, options, stats, blended_until)
        self._given = given
        self._next_frame = first_frame  # the first whose faces were not taken over yet

    def see(self, number: int, frame: Any) -> None:
        """Look at the faces of a frame; those of frames before, which could not be decoded, are taken as they are."""
        self._faces += [_judged(face, INTERPOLATED) for face in self._given.between(self._next_frame, number)]
        self._next_frame = number + 1
        faces = self._given.between(number, number + 1)
        seen = [face for face in faces if face.score is not None]
        self._faces += [_judged(face, INTERPOLATED) for face in faces if face.score is None]
        if not seen:
            return
        lens = self._lens
        picture = lens.small.bgr(frame)
        whole: np.ndarray | None = picture if lens.same_size else None
        scale = np.concatenate([lens.small.scale, lens.small.scale])
        for face in seen:
            sharp, score = sharpness(picture, face.box * scale), float(face.score or 0)
            verdict = self._judge(number, face.box, score, sharp)
            landmarks = face.landmarks
            if verdict is None and face.track is not None:
                sampler = self._sampler(face.track, number)
                if sampler.wants(number):
                    if whole is None:
                        whole = lens.full.bgr(frame)
                    box = face.box * lens.full_scale
                    marks = self._find(whole, box) if landmarks is None else landmarks * lens.full.scale
                    if marks is None:
                        verdict = WITHOUT_LANDMARKS
                    else:
                        landmarks = marks / lens.full.scale
                        sampler.add(Cutout.of(number, score, sharp, whole, box, marks))
            self._faces.append(Face(number, face.box, score, landmarks, sharp, verdict, face.track))

    def faces(self) -> list[Face]:
        """All faces in order of frames."""
        return self._with_blends(self._faces)

    def _find(self, picture: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        begun = time.perf_counter()
        found = self._lens.landmarks_in_box.find(picture, box)
        self._stats["seconds_detect"] += time.perf_counter() - begun
        return found


def _judged(face: Face, verdict: str) -> Face:
    return Face(face.frame, face.box, None, face.landmarks, None, verdict, face.track)
