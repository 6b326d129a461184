"""A correction: what a person (or a gallery of reference pictures) says of some tracks, and by what these are known.

A track's number changes when a season is run with other options, so a correction names its tracks by what does not:
the video's content, and where in which frames a face is seen (`TrackAnchor`). A character is named by some of its
tracks: the one that most of them are in is meant.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from vcn_ray.errors import InputError

#: Longest name that is taken: longer ones are somebody's mistake, and break every page.
MOST_NAME_LETTERS = 200

#: Seen by nobody, but part of how names are written in Persian, Malayalam, Sinhala.
_JOINERS = {0x200C: "", 0x200D: ""}

#: What is on pages and in exports for who has no name: a person of that name would be one with them.
_WITHOUT_NAME = re.compile(r"unknown|(cast|character) \d+", re.IGNORECASE)

#: Numbers in the cast end here: what is higher is no number that a season has given.
MOST_NUMBER = 10**9


class Kind(StrEnum):
    """What is said. `tracks` and `others` are those of the correction."""

    NAME = "name"  # the character that holds `tracks` is called `name`; characters of one name are one person
    UNNAME = "unname"  # the character that holds `tracks` has no name
    MERGE = "merge"  # the characters that hold `tracks` and `others` are one person
    SPLIT = "split"  # `tracks` are one person, and not the one whom `others` show
    MOVE = "move"  # each of `tracks` is of the character that holds `others`; also says that it rightly is there
    DIFFERENT = "different"  # `tracks` are not the person whom `others` show, whoever they are
    NOT_A_FACE = "not-a-face"  # `tracks` show no face
    NOBODY = "nobody"  # `tracks` are nobody in particular: Unknown for good
    NUMBER = "number"  # the character that holds `tracks` has this `number` in the cast, as in an earlier season
    FORGET = "forget"  # `tracks` are of somebody who has been removed, and must not come back


#: What `others` are called in the file; kinds that are not here have none.
OTHERS_KEY = {Kind.MERGE: "with", Kind.SPLIT: "from", Kind.MOVE: "to", Kind.DIFFERENT: "from"}


@dataclass(frozen=True)
class TrackAnchor:
    """Where a track is seen, whatever its number.

    Two tracks of one place are one; `file` and `time_s` are for people who read the file, and not compared.
    """

    video: str  # fingerprint of the video's content, as in title.json
    frames: tuple[int, int]  # first and last; of a FORGET: between which a track that is found there is theirs
    boxes: tuple[tuple[int, float, float, float, float], ...]  # frame, x, y, w, h of up to three of its faces
    file: str = ""
    time_s: float = 0.0

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two anchors the same."""
        return self.video, self.frames, self.boxes


@dataclass(frozen=True)
class Correction:
    """One thing that somebody said."""

    id: str
    kind: Kind
    tracks: tuple[TrackAnchor, ...]
    others: tuple[TrackAnchor, ...] = ()
    name: str | None = None  # of NAME
    number: int | None = None  # of NUMBER
    confidence: float | None = None  # of a name or number that a gallery gave: its probability; None where a person did
    by: str = ""  # who
    at: str = ""  # when: ISO 8601, UTC, seconds

    @property
    def is_said_by_a_person(self) -> bool:
        """Whether it is a person's word, which clustering may be held to, and not a gallery's guess."""
        return self.confidence is None


def make_correction(
    kind: Kind,
    tracks: Iterable[TrackAnchor],
    others: Iterable[TrackAnchor] = (),
    *,
    by: str,
    name: str | None = None,
    number: int | None = None,
    confidence: float | None = None,
) -> Correction:
    """A new correction, said now. `InputError` where it says nothing, or what it says is incomplete."""
    correction = Correction(
        uuid.uuid4().hex[:12],
        kind,
        tuple(tracks),
        tuple(others),
        None if name is None else one_spelling(name),
        number,
        confidence,
        shown(by),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    check(correction)
    if correction.name is not None:
        check_new_name(correction.name)
    return correction


def one_spelling(name: str) -> str:
    """A name as it is compared: an accent is not two different letters, nor is more than one space."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def check_name(name: str) -> None:
    """`InputError` where nobody can be called that; `name` is in one spelling."""
    letters = name.translate(_JOINERS)
    if not letters or len(name) > MOST_NAME_LETTERS:
        raise InputError(f"a name has 1 to {MOST_NAME_LETTERS} letters, not {len(name) if letters else 0}")
    if not letters.isprintable():
        raise InputError(f"the name {name!r} holds characters that cannot be printed")


def check_new_name(name: str) -> None:
    """As `check_name`, for a name that is given now: not one that stands for whoever has none."""
    check_name(name)
    if _WITHOUT_NAME.fullmatch(unicodedata.normalize("NFKC", name.translate(_JOINERS))):
        raise InputError(f"{name!r} is what those are called who have no name: choose another")


def shown(text: str) -> str:
    """A text of the machine's, such as a user's name or a folder's, as one line that can be stored and shown."""
    letters = (
        letter if letter.isprintable() or ord(letter) in _JOINERS else "\N{REPLACEMENT CHARACTER}"
        for letter in " ".join(text.split())
    )
    return "".join(letters)


def check(correction: Correction) -> None:
    """`InputError` where a correction is incomplete."""
    kind, tracks, others = correction.kind, correction.tracks, correction.others
    if not tracks:
        raise InputError(f"a correction '{kind}' names no tracks")
    if kind in OTHERS_KEY and not others:
        raise InputError(f"a correction '{kind}' names nobody under '{OTHERS_KEY[kind]}'")
    if kind not in OTHERS_KEY and others:
        raise InputError(f"a correction '{kind}' is of 'tracks' alone")
    if {track.key for track in tracks} & {other.key for other in others} and kind is not Kind.MOVE:
        raise InputError(f"a correction '{kind}' names the same track under 'tracks' and '{OTHERS_KEY[kind]}'")
    if (kind is Kind.NAME) != (correction.name is not None) or (kind is Kind.NUMBER) != (correction.number is not None):
        raise InputError(f"a correction 'name' has a name, 'number' a number, and no other has; '{kind}' does not fit")
    if correction.name is not None:
        check_name(correction.name)
    if correction.number is not None and not 0 <= correction.number <= MOST_NUMBER:
        raise InputError(f"a number in the cast is 0 to {MOST_NUMBER}, not {correction.number}")
    if correction.confidence is not None and not 0 <= correction.confidence <= 1:
        raise InputError(f"'confidence' is a probability, 0 to 1, not {correction.confidence}")
