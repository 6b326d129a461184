"""``corrections.yaml`` in the folder of the results: made to be read, kept in git, and changed by several people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import yaml

from vcn_ray.corrections.correction import OTHERS_KEY, Correction, Kind, TrackAnchor, check, one_spelling, shown
from vcn_ray.errors import InputError
from vcn_ray.storage.compare_and_swap import change_object
from vcn_ray.storage.store import Store, digest

CORRECTIONS_KEY = "corrections.yaml"

#: Of what the file holds; another one is a later version's.
_FORMAT = 1

_HEADER = """\
# What people said of this season's cast. `vcn-ray apply` brings it into tables, pages and exports; `vcn-ray run` holds
# its clustering to it. An entry can be taken out by hand, whole. Later entries go before earlier ones.
# It holds names of people: treat it as personal data.
"""


def read_corrections(out: Store) -> list[Correction]:
    """All corrections of a season, in order; none where there is no file.

    Raises `InputError` naming the file and the entry that is not as it should be.
    """
    return _parsed(out, out.read_bytes(CORRECTIONS_KEY)) if out.exists(CORRECTIONS_KEY) else []


def edit_corrections(out: Store, change: Callable[[list[Correction]], Sequence[Correction]]) -> list[Correction]:
    """Change a season's corrections; what two people say at once is all kept.

    Args:
        out: the season's store.
        change: makes the new list of the present one; called again where somebody else wrote meanwhile.

    Returns:
        The list as written.

    Raises:
        InputError: the file is not as it should be; it stays as it is.
        OutputError: it cannot be written.
    """
    written: list[Correction] = []
    text = b""

    def changed(content: bytes | None) -> bytes:
        nonlocal written, text
        written = list(change([] if content is None else _parsed(out, content)))
        for correction in written:
            check(correction)
        if twice := _twice(written):
            raise InputError(f"{out.where(CORRECTIONS_KEY)}: two corrections would have the id {twice}")
        text = to_yaml(written).encode()
        return text

    change_object(out, CORRECTIONS_KEY, changed)
    _keep(text, written)
    return written


def corrections_digest(corrections: Sequence[Correction]) -> str | None:
    """Of all that tables show: what is said, and by whom, not when; None where nothing is."""
    return digest([entry | {"id": "", "at": ""} for entry in to_plain(corrections)]) if corrections else None


def to_yaml(corrections: Sequence[Correction]) -> str:
    """The file's text: one line a track, so that a diff is readable."""
    head = f"{_HEADER}format: {_FORMAT}\ncorrections:"
    return f"{head}\n{''.join(map(_entry_text, corrections))}" if corrections else f"{head} []\n"


@lru_cache(10_000)
def _entry_text(correction: Correction) -> str:
    """The lines of an entry; kept, since a review writes a file of hundreds anew with each edit."""
    return yaml.dump([_entry(correction)], Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**30)


def to_plain(corrections: Sequence[Correction]) -> list[dict[str, Any]]:
    """Corrections as plain values, for JSON."""
    return [_entry(correction) for correction in corrections]


def from_plain(entries: Sequence[Mapping[str, Any]]) -> list[Correction]:
    """What `to_plain` gave."""
    return [_correction(entry) for entry in entries]


class _Line(dict[str, Any]):
    """A mapping that is written in one line."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes `_Line` in one line."""


_Dumper.add_representer(_Line, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, True))


def _entry(correction: Correction) -> dict[str, Any]:
    kind = correction.kind
    entry: dict[str, Any] = {"what": kind.value}
    for key, value in (
        ("name", correction.name),
        ("number", correction.number),
        ("confidence", correction.confidence),
    ):
        if value is not None:
            entry[key] = value
    entry |= {"by": correction.by, "at": correction.at, "id": correction.id}
    entry["tracks"] = [_line(track) for track in correction.tracks]
    if kind in OTHERS_KEY:
        entry[OTHERS_KEY[kind]] = [_line(track) for track in correction.others]
    return entry


def _line(anchor: TrackAnchor) -> _Line:
    return _Line(
        file=anchor.file,
        time_s=anchor.time_s,
        video=anchor.video,
        frames=list(anchor.frames),
        boxes=[list(box) for box in anchor.boxes],
    )


#: What contents of files say that were read or written last: parsing hundreds of entries takes seconds.
_KNOWN: dict[bytes, tuple[Correction, ...]] = {}
_MOST_KNOWN = 4


def _keep(content: bytes, corrections: Sequence[Correction]) -> None:
    _KNOWN[content] = tuple(corrections)
    for old in list(_KNOWN)[:-_MOST_KNOWN]:
        _KNOWN.pop(old, None)


def _parsed(out: Store, content: bytes) -> list[Correction]:
    known = _KNOWN.get(content)
    if known is not None:
        return list(known)
    found = _parse(out, content)
    _keep(content, found)
    return found


def _parse(out: Store, content: bytes) -> list[Correction]:
    where = out.where(CORRECTIONS_KEY)
    try:
        loaded = yaml.load(content.decode(), Loader=_Loader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{where} is not YAML: {' '.join(str(error).split())}; mend it, or take back a change"
        ) from None
    if loaded is None:
        return []
    number = loaded.get("format") if isinstance(loaded, dict) else None
    if isinstance(number, str) and number != str(_FORMAT):
        raise InputError(f"{where}: it is of format {number}, this version reads {_FORMAT}; update vcn-ray")
    # What else stands there would be lost with the next correction that is written.
    if not isinstance(number, str) or set(loaded) != {"format", "corrections"} or loaded["corrections"] == "":
        raise InputError(f"{where}: 'format: {_FORMAT}' and a list 'corrections' are expected, no more; mend it")
    if not isinstance(loaded["corrections"], list):
        raise InputError(f"{where}: 'corrections' is no list; mend it")
    found: list[Correction] = []
    for place, entry in enumerate(loaded["corrections"], 1):
        try:
            correction = _correction(entry)
            check(correction)
        except (InputError, KeyError, TypeError, ValueError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else error
            raise InputError(f"{where}, entry {place}: {what}; mend it, or take the entry out") from None
        found.append(correction)
    if twice := _twice(found):
        raise InputError(f"{where}: several entries have the id {twice}; take all but one out")
    return found


def _twice(corrections: Sequence[Correction]) -> str | None:
    """The first id that several corrections have."""
    return next((one for one, count in Counter(said.id for said in corrections).items() if count > 1), None)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # of libyaml, where it is there
    """A SafeLoader that leaves all as the text it is: a name may be No, Null, 007 or a date, written by hand."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


def _correction(entry: Any) -> Correction:
    if not isinstance(entry, Mapping):
        raise ValueError("it is not a mapping")
    known = [kind.value for kind in Kind]
    what = _text(entry, "what")
    if what not in known:
        raise ValueError(f"'what' is {what!r}; it can be {', '.join(known)}")
    kind = Kind(what)
    allowed = {"what", "name", "number", "confidence", "by", "at", "id", "tracks", OTHERS_KEY.get(kind, "tracks")}
    if unknown := sorted(set(entry) - allowed, key=str):
        raise ValueError(f"{unknown[0]!r} is no key of a '{kind}'")
    number, confidence = entry.get("number"), entry.get("confidence")
    return Correction(
        id=_text(entry, "id"),
        kind=kind,
        tracks=_anchors(entry, "tracks"),
        others=_anchors(entry, OTHERS_KEY[kind]) if kind in OTHERS_KEY else (),
        name=None if entry.get("name") is None else one_spelling(_text(entry, "name")),
        number=None if number is None else int(number),
        confidence=None if confidence is None else float(confidence),
        by=shown(_text(entry, "by")),
        at=shown(_text(entry, "at")),
    )


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry[key]
    if not isinstance(value, str):
        raise ValueError(f"{key!r} is no text")  # what it is may be endless: YAML has references
    return value


def _anchors(entry: Mapping[str, Any], key: str) -> tuple[TrackAnchor, ...]:
    given = entry[key]
    if not isinstance(given, list):
        raise ValueError(f"{key!r} is not a list of tracks")
    return tuple(_anchor(line, key) for line in given)


def _anchor(line: Any, key: str) -> TrackAnchor:
    try:
        first, last = map(int, line["frames"])
        boxes = tuple((int(frame), float(x), float(y), float(w), float(h)) for frame, x, y, w, h in line["boxes"])
        time_s = float(line.get("time_s", 0))
        anchor = TrackAnchor(shown(line["video"]), (first, last), boxes, shown(line.get("file", "")), time_s)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"a track under {key!r} is not what vcn-ray writes there: {why}") from None
    if not boxes or not all(math.isfinite(value) for value in (time_s, *(side for box in boxes for side in box))):
        raise ValueError(f"a track under {key!r} has no 'boxes', or numbers that are none")
    return anchor
