"""What is wanted of a season's videos, checked before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vcn_ray.errors import OptionError
from vcn_ray.export.finished_season import UNKNOWN

#: Of x264 and x265, fast and large first.
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@dataclass(frozen=True)
class OverlayRequest:
    """What is wanted of each video. Who somebody is: a name, 'Cast 3', a number of the cast, or Unknown.

    `blur` hides these characters and everybody who may be one of them; `blur_all_but` everybody but these.
    `keep_unknown`: Unknown tracks stay to be seen all the same. A track that is less than `least` probable to be of the
    character who may be seen is hidden. `boxes`: draw boxes and names; None: where nothing else is asked for.
    """

    blur: Sequence[str] = ()
    blur_all_but: Sequence[str] = ()
    supercut: str | None = None
    keep_unknown: bool = False
    least: float = 0.9
    boxes: bool | None = None
    crf: int = 18
    preset: str = "veryfast"

    @property
    def word(self) -> str:
        """What is made, for a file's name."""
        return "supercut" if self.supercut is not None else "hidden" if self.hides else "overlay"

    @property
    def hides(self) -> bool:
        """Whether anybody is hidden."""
        return bool(self.blur or self.blur_all_but)

    @property
    def promise(self) -> str:
        """What hiding does and does not mean, in a sentence or two."""
        unknown = "shown" if self.keep_unknown or UNKNOWN in self.blur_all_but else "hidden"
        return (
            f"Unknown faces are {unknown}, and faces that no track took are hidden. What no detector takes for a face "
            "(from behind, far away), voices and clothes are as they were: look the videos through before they go out."
        )

    def check(self) -> None:
        """`OptionError` where parts of it contradict one another."""
        if self.blur and self.blur_all_but:
            raise OptionError("--blur hides these, --blur-all-but all others: give one of them")
        if self.keep_unknown and not self.hides:
            raise OptionError("--keep-unknown is for --blur and --blur-all-but: leave it out")
        if self.keep_unknown and UNKNOWN in self.blur:
            raise OptionError("--blur Unknown hides them, --keep-unknown shows them: give one of them")
        if not 0 <= self.least <= 1:
            raise OptionError(f"--sure {self.least}: a probability is 0 to 1")
        if not 0 <= self.crf <= 51:
            raise OptionError(f"--crf {self.crf}: H.264 has 0 (lossless) to 51; 18 is hard to tell from the source")
        if self.preset not in PRESETS:
            raise OptionError(f"--preset {self.preset}: there are: {', '.join(PRESETS)}")
