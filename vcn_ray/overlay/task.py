"""What is to be made of one video, as whoever makes it is told: small, and the same in any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vcn_ray.config import DetectorChoice


@dataclass(frozen=True)
class Look:
    """The face detector that looks at every frame where faces are hidden, as the run had it."""

    pack: str
    detector: DetectorChoice = "pack"
    max_side_px: int = 640


@dataclass(frozen=True)
class Hiding:
    """Whose faces stay to be seen; all others are hidden.

    A track stays where it is of a character of `seen` and at least `least` probable to be that; one of no known
    probability counts as sure. Unknown tracks stay if `unknown` says so; then a face that the detector finds without a
    track is hidden in those shots alone in which somebody is tracked who is to be hidden.
    """

    seen: frozenset[int]  # clusters of the title
    unknown: bool = False
    least: float = 0.9
    look: Look = field(default_factory=lambda: Look("opencv-zoo"))


@dataclass(frozen=True)
class VideoTask:
    """One video of a title, and what is to be made of it.

    `names` and `colours` ("#rrggbb") are of the title's clusters. Frames outside `part` (first, end) were not looked
    at by the run and are left out; None: all of them were.
    """

    label: str  # what messages and progress call it
    title: str  # folder of the title's results, or its URL
    video: str  # as in the tables
    path: str
    fingerprint: str
    place: str  # folder or URL that it goes into
    name: str  # its name there; one without an ending gets that of a file that holds what the source has
    names: Mapping[int, str] = field(default_factory=dict)
    colours: Mapping[int, str] = field(default_factory=dict)
    part: tuple[int, int] | None = None
    boxes: bool = True  # draw boxes, names and confidence
    hiding: Hiding | None = None
    only: frozenset[int] | None = None  # the shots of these clusters alone, one after the other
    start_timecode: str = ""
    crf: int = 18
    preset: str = "veryfast"


@dataclass(frozen=True)
class VideoMade:
    """What became of a task: where the video is, or why there is none."""

    label: str
    where: str = ""
    error: str = ""
    trace: str = ""  # where the error is no fault of the user
    frames: int = 0
    seconds: float = 0.0
    hidden_faces: int = 0  # in frames, by the detector and no track
    remarks: tuple[str, ...] = ()
