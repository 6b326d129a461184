"""The faces of one shot: detected, tracked, judged and sampled as its frames pass, then turned into table rows."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Container
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from vcn_ray.config import TrackOptions
from vcn_ray.models.detection import Detections, FaceDetector
from vcn_ray.models.landmarks import LandmarkFinder
from vcn_ray.models.packs import FacePack
from vcn_ray.tracks.crops import Crop, CropSampler, Cutout, UncutFace, surroundings
from vcn_ray.tracks.decode import Picture, Region
from vcn_ray.tracks.judge import BLENDED, INTERPOLATED, judge_face, sharpness
from vcn_ray.tracks.shots import longest_blend_frames
from vcn_ray.tracks.tracker import KEEP_SCORE, ShotTracker
from vcn_ray.tracks.video_info import VideoInfo

#: Of faces of a shot that wait uncut; further ones are cut out at once, which takes more time and less room.
_MAX_WAITING_BYTES = 64_000_000

#: A face's box (x, y, w, h) and landmarks (5, 2).
Place = tuple[np.ndarray, np.ndarray]

#: Detections a second of film at `detect_every_frames: auto`.
_DETECTIONS_PER_S = 12.5


def detect_every_frames(info: VideoInfo, options: TrackOptions) -> int:
    """Every how many frames of a video faces are looked for, 1 or more."""
    if options.detect_every_frames == "auto":
        return max(1, round(info.fps / _DETECTIONS_PER_S))
    return options.detect_every_frames


@dataclass(frozen=True)
class Face:
    """A face in pixels of the displayed source frame; `score` and `landmarks` are None for an interpolated one."""

    frame: int
    box: np.ndarray  # x, y, w, h
    score: float | None
    landmarks: np.ndarray | None  # (5, 2)
    sharpness: float | None
    verdict: str | None
    track: int | None


class Lens:
    """What looks at the frames of a video: the detector and the two picture sizes; made once per shard."""

    def __init__(self, info: VideoInfo, pack: FacePack, options: TrackOptions):
        self._pack, self._options = pack, options
        self.landmarks = pack.landmark_finder(options.landmarks)
        self.small = Picture(info, options.detect_max_side_px)
        self.full = Picture(info)
        self.full_scale = np.concatenate([self.full.scale, self.full.scale])  # of boxes
        self.same_size = self.full.bgr_size == self.small.bgr_size

    @cached_property
    def detector(self) -> FaceDetector:
        """What finds faces in a whole picture; nobody may need it."""
        return self._pack.detector(KEEP_SCORE, self._options.detector)

    @cached_property
    def landmarks_in_box(self) -> LandmarkFinder:
        """What finds the landmarks of a face of which there is but a box: the pack's finder, else its detector."""
        return self.landmarks or LandmarkFinder(self._pack.detector(LandmarkFinder.MIN_SCORE))


class ShotFaces(ABC):
    """The faces of one shot, judged and sampled as its frames pass; where they come from is a subclass's own."""

    def __init__(self, info: VideoInfo, lens: Lens, options: TrackOptions, stats: dict[str, float], blended_until: int):
        self._info = info
        self._lens = lens
        self._options = options
        self._stats = stats
        self._samplers: dict[int, CropSampler] = {}
        self._faces: list[Face] = []
        self._blended_until = blended_until
        self._blended_from: int | None = None

    @abstractmethod
    def see(self, number: int, frame: Any) -> None:
        """Take in a frame of the shot; frames come in order."""

    @abstractmethod
    def faces(self) -> list[Face]:
        """All faces in order of frames."""

    def crops(self) -> dict[int, list[Crop]]:
        """The crops of each track."""
        return self._crops_of(self._samplers)

    def _crops_of(self, tracks: Container[int]) -> dict[int, list[Crop]]:
        chosen = sorted(track for track in self._samplers if track in tracks)
        return {track: self._samplers[track].chosen(self._blended_from) for track in chosen}

    def blended_from(self, frame: int) -> None:
        """Tell that from this frame on the next shot shows through."""
        self._blended_from = frame

    def _judge(self, number: int, box: np.ndarray, score: float, sharp: float) -> str | None:
        verdict = judge_face(box, score, sharp, (self._info.width_px, self._info.height_px), self._options)
        return BLENDED if number < self._blended_until else verdict

    def _uncut(
        self, number: int, frame: Any, whole: np.ndarray | None, score: float, sharp: float, place: Place
    ) -> UncutFace | None:
        """A face that is cut out of its frame later; None where it has to be now. place: in pixels of the picture."""
        region = None if whole is not None else self._region(frame, place[0])
        return None if region is None else UncutFace(number, score, sharp, region, *place)

    def _region(self, frame: Any, box: np.ndarray) -> Region | None:
        """What a face is to be cut out of later, None where it has to be now."""
        if sum(sampler.waiting_bytes for sampler in self._samplers.values()) > _MAX_WAITING_BYTES:
            return None
        return self._lens.full.region(frame, *surroundings(box))

    def _sampler(self, track: int, number: int) -> CropSampler:
        if track not in self._samplers:
            options, blend_frames = self._options, longest_blend_frames(self._info.fps)
            self._samplers[track] = CropSampler(
                number, options.sample_every_frames, options.min_crops, self._crop, blend_frames
            )
        return self._samplers[track]

    def _crop(self, cutout: Cutout) -> Crop:
        begun = time.perf_counter()
        crop = cutout.crop(self._lens.landmarks)
        self._stats["seconds_align"] += time.perf_counter() - begun
        return crop

    def _with_blends(self, faces: list[Face]) -> list[Face]:
        """The faces, those judged anew that are seen through another shot; in order of frames."""
        end = self._blended_from
        faces = [
            replace(f, verdict=BLENDED) if f.frame < self._blended_until or (end is not None and f.frame >= end) else f
            for f in faces
        ]
        return sorted(faces, key=lambda f: (f.frame, float(f.box[0]), float(f.box[1])))


class FaceFinder(ShotFaces):
    """Finds and follows the faces of one shot; feed its frames in order with `see`."""

    def __init__(
        self, info: VideoInfo, lens: Lens, options: TrackOptions, stats: dict[str, float], blended_until: int = 0
    ):
        super().__init__(info, lens, options, stats, blended_until)
        self._detect_every_frames = detect_every_frames(info, options)
        self._tracker = ShotTracker(info.fps, self._detect_every_frames)
        self._first_frame: int | None = None

    def see(self, number: int, frame: Any) -> None:
        """Search a frame for faces, unless `detect_every_frames` passes it over."""
        if self._first_frame is None:
            self._first_frame = number
        if (number - self._first_frame) % self._detect_every_frames:
            return
        lens = self._lens
        begun = time.perf_counter()
        picture = lens.small.bgr(frame)
        found = lens.detector.detect(picture)
        self._stats["seconds_detect"] += time.perf_counter() - begun
        self._stats["frames_detected"] += 1
        scale = np.concatenate([lens.small.scale, lens.small.scale])
        inside = Detections(found.boxes / scale, found.scores, found.landmarks / lens.small.scale)
        tracks = self._tracker.update(inside, self._info.time_s(number))
        whole: np.ndarray | None = picture if lens.same_size else None
        for n, track in enumerate(tracks):
            sharp = sharpness(picture, found.boxes[n])
            score = float(inside.scores[n])
            verdict = self._judge(number, inside.boxes[n], score, sharp)
            self._faces.append(Face(number, inside.boxes[n], score, inside.landmarks[n], sharp, verdict, track))
            if track is None or verdict is not None:
                continue
            sampler = self._sampler(track, number)
            if sampler.wants(number):
                place = inside.boxes[n] * lens.full_scale, inside.landmarks[n] * lens.full.scale
                uncut = self._uncut(number, frame, whole, score, sharp, place)
                if uncut is not None:
                    sampler.add(uncut)
                    continue
                if whole is None:
                    whole = lens.full.bgr(frame)
                sampler.add(Cutout.of(number, score, sharp, whole, *place))

    def faces(self) -> list[Face]:
        """All faces in order of frames; tracks that did not last are taken from theirs, gaps of stride are filled."""
        lasting = self._tracker.confirmed
        faces = [f if f.track is None or f.track in lasting else replace(f, track=None) for f in self._faces]
        every = self._detect_every_frames
        if every > 1:
            faces += _between(faces, every)
        return self._with_blends(faces)

    def crops(self) -> dict[int, list[Crop]]:
        """The crops of each track that lasted."""
        return self._crops_of(self._tracker.confirmed)


def _between(faces: list[Face], every: int) -> list[Face]:
    """Boxes for the frames that were passed over between two detections of a track, on a straight line."""
    filled: list[Face] = []
    last: dict[int, Face] = {}
    for face in faces:
        if face.track is None:
            continue
        before = last.get(face.track)
        last[face.track] = face
        if before is None or face.frame - before.frame > every:
            continue
        for number in range(before.frame + 1, face.frame):
            share = (number - before.frame) / (face.frame - before.frame)
            box = (1 - share) * before.box + share * face.box
            filled.append(Face(number, box, None, None, None, INTERPOLATED, face.track))
    return filled


class ShotRows:
    """Collects the rows of a shard's tables, shots and tracks numbered within the shard.

    keeps_numbers: tracks keep those that they come with, which are the video's.
    """

    def __init__(self, info: VideoInfo, *, keeps_numbers: bool = False):
        self._info = info
        self._keeps_numbers = keeps_numbers
        self._faces: list[dict[str, Any]] = []
        self._shots: list[dict[str, Any]] = []
        self._crops: list[dict[str, Any]] = []
        self._tracks = 0

    def begin_shot(self, first_frame: int, transition: str) -> None:
        """A shot begins."""
        self._shots.append(
            {
                "video": self._info.name,
                "shot": len(self._shots),
                "first_frame": first_frame,
                "last_frame": first_frame,
                "transition": transition,
            }
        )

    def end_shot(self, last_frame: int, finder: ShotFaces) -> None:
        """The shot that began last ends; take over what was found in it."""
        self._shots[-1]["last_frame"] = last_frame
        numbers: dict[int, int] = {}
        for face in finder.faces():
            if face.track is not None and face.track not in numbers:
                numbers[face.track] = face.track if self._keeps_numbers else self._tracks + len(numbers)
            self._faces.append(self._face_row(face, None if face.track is None else numbers[face.track]))
        for track, crops in finder.crops().items():
            self._crops += [self._crop_row(crop, numbers[track]) for crop in crops]
        self._tracks += len(numbers)

    def tables(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of faces, shots and crops."""
        return self._faces, self._shots, sorted(self._crops, key=lambda row: (row["track_id"], row["frame"]))

    def _face_row(self, face: Face, track_id: int | None) -> dict[str, Any]:
        return {
            "video": self._info.name,
            "frame": face.frame,
            "time_s": self._info.time_s(face.frame),
            "shot": len(self._shots) - 1,
            **dict(zip("xywh", face.box.tolist(), strict=True)),
            "score": face.score,
            "landmarks": None if face.landmarks is None else face.landmarks.reshape(-1).tolist(),
            "sharpness": face.sharpness,
            "verdict": face.verdict,
            "track_id": track_id,
        }

    def _crop_row(self, crop: Crop, track_id: int) -> dict[str, Any]:
        return {
            "track_id": track_id,
            "video": self._info.name,
            "frame": crop.frame,
            "score": crop.score,
            "sharpness": crop.sharpness,
            "jpeg": crop.jpeg(),
        }
