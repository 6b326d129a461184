"""Options of stage 1: shots, faces, tracks, crops."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from vcn_ray.config.group import OptionGroup

DetectorChoice = Literal["pack", "centerface", "pack+centerface"]
LandmarksChoice = Literal["refined", "detector"]


class TrackOptions(OptionGroup):
    """Stage 1: shots, faces, tracks, crops."""

    detector: DetectorChoice = Field(
        "pack",
        description="pack: the pack's own; pack+centerface: CenterFace, too, in frames where that sees no face of 32 "
        "pixels or more, for footage of small faces (such frames take six times as long); centerface: that alone",
    )
    landmarks: LandmarksChoice = Field(
        "refined",
        description="refined: those of a crop are found anew on an enlarged picture of the face (5 ms a crop), where "
        "the pack has what finds them; detector: as the detector saw them",
    )
    detect_every_frames: int | Literal["auto"] = Field(
        "auto",
        description="detect in every n-th frame, boxes between on a straight line; higher is faster and loses short or "
        "fast faces; auto: some twelve times a second of film, which finds as many people as each frame does (every "
        "2nd frame at 24 to 30 frames a second, every 5th at 60)",
    )
    detect_max_side_px: int = Field(
        640,
        ge=160,
        le=4096,
        description="frames are scaled down to this longer side for detection; raise it for small faces",
    )
    sample_every_frames: int = Field(
        12, ge=1, description="one crop of a track every n frames (paper, S Alg. 1); lower gives more, similar crops"
    )
    min_crops: int = Field(
        4, ge=1, description="at least this many crops from a short track, where it has as many faces"
    )
    min_face_px: int = Field(
        12, ge=4, description="a face smaller than this (shorter side, pixels of the source) gives no crop"
    )
    min_face_score: float = Field(
        0.6, ge=0, le=1, description="a face that the detector is less sure of gives no crop; lower it for poor footage"
    )
    min_sharpness: float = Field(
        0.12,
        ge=0,
        description="a face with less fine structure gives no crop (0.12: blurred by a tenth of its width; sharp: 1); "
        "higher leaves more Unknown",
    )
    max_shot_s: float = Field(
        120.0,
        ge=5,
        description="long takes are tracked in pieces of this length, rejoined by overlap; bounds one task's time",
    )

    @field_validator("detect_every_frames", mode="before")
    @classmethod
    def _frames_or_auto(cls, every: Any) -> Any:
        """One sentence for both kinds of value."""
        try:
            if every == "auto" or (1 <= int(every) <= 12 and float(every) == int(every)):
                return every
        except (TypeError, ValueError):
            pass
        raise PydanticCustomError("frames", "takes auto, or a whole number from 1 to 12")
