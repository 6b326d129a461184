"""Who is on screen when, against RTTM: missed, false and confused time, as diarisation counts them.

The diarisation error rate of NIST's Rich Transcription evaluations (md-eval), without a collar: characters are matched
to identities one to one so that most time agrees; then the time in which somebody is not found, nobody is there, or it
is somebody else, is set against the time that the identities are there, each person's counted.
"""

from __future__ import annotations

import json
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from vcn_ray.errors import InputError
from vcn_ray.track_files.content import file_name, find_video
from vcn_ray.track_files.reading import is_rttm, read_bytes, text_of
from vcn_ray.track_files.rttm import Turn, read_rttm

_DIGITS = 4


@dataclass(frozen=True)
class PresenceEvaluation:
    """How well it is known who is on screen when, in seconds of people; over several titles each is matched alone."""

    identities: int
    characters: int
    present_s: float  # of all identities together
    missed_s: float
    false_s: float
    confused_s: float
    titles: dict[str, PresenceEvaluation] = field(default_factory=dict)  # where there is more than one
    notes: list[str] = field(default_factory=list)

    @property
    def error_rate(self) -> float | None:
        """Missed, false and confused time over the time that is to be found; None where there is none."""
        wrong = self.missed_s + self.false_s + self.confused_s
        return round(wrong / self.present_s, _DIGITS) if self.present_s else None

    def summary(self) -> dict[str, Any]:
        """The figures in one flat dict, in the order for reading."""
        names = ("identities", "characters", "present_s", "missed_s", "false_s", "confused_s")
        return {name: getattr(self, name) for name in names} | {"error_rate": self.error_rate}

    def to_dict(self) -> dict[str, Any]:
        """All figures, JSON-able."""
        titles = {name: title.to_dict() for name, title in self.titles.items()}
        return asdict(self) | {"error_rate": self.error_rate, "titles": titles}

    def json(self) -> str:
        """`to_dict` as indented JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)


def is_turns(path: str) -> bool:
    """Whether a file is RTTM; what cannot be read, or is a folder, is none."""
    try:
        return is_rttm(text_of(path, read_bytes(path)))
    except InputError:
        return False


def evaluate_presence(found: Sequence[Turn], rttm: str, title_of: Mapping[str, str]) -> PresenceEvaluation:
    """Measure turns against those of an RTTM file.

    Args:
        found: of the run, by the names of its videos.
        rttm: path or URL; its recordings are called as videos are, with or without ending.
        title_of: the title of each video of the run; an identity counts once in each.

    Raises `InputError` where the file cannot be read, or has no recording that is one of the run's videos.
    """
    turns = read_rttm(rttm, text_of(rttm, read_bytes(rttm)))
    recordings = {turn.video for turn in turns}
    name_of = {name: video for video in title_of if (name := find_video(video, recordings)) is not None}
    if not name_of:
        known = ", ".join(sorted(posixpath.splitext(file_name(video))[0] for video in title_of)[:3])
        raise InputError(
            f"{rttm} is of {', '.join(sorted(recordings)[:3])}, but the run is of {known}: its second field is to be "
            "the name of a video"
        )
    there = [Turn(name_of[t.video], t.who, t.start_s, t.duration_s) for t in turns if t.video in name_of]
    notes = [f"{name} is in the RTTM but not in the run" for name in sorted(recordings - name_of.keys())]
    notes += [f"{name} is not in the RTTM: left out" for name in sorted(title_of.keys() - set(name_of.values()))]
    labelled = set(name_of.values())
    titles = {}
    for title in dict.fromkeys(title_of[video] for video in title_of if video in labelled):
        own = {video for video in labelled if title_of[video] == title}
        titles[title] = _measure([t for t in there if t.video in own], [t for t in found if t.video in own])
    if len(titles) == 1:
        (only,) = titles.values()
        return PresenceEvaluation(**_figures([only]), notes=notes)
    return PresenceEvaluation(**_figures(list(titles.values())), titles=titles, notes=notes)


def _figures(parts: Sequence[PresenceEvaluation]) -> dict[str, Any]:
    names = ("identities", "characters", "present_s", "missed_s", "false_s", "confused_s")
    return {name: round(sum(getattr(part, name) for part in parts), 3) for name in names}


def _measure(truth: Sequence[Turn], found: Sequence[Turn]) -> PresenceEvaluation:
    """A title's figures."""
    spans = _spans(truth, found)
    whom = {who: n for n, who in enumerate(dict.fromkeys(turn.who for turn in truth))}
    which = {who: n for n, who in enumerate(dict.fromkeys(turn.who for turn in found))}
    together = np.zeros((len(whom), len(which)))
    for seconds, present, seen in spans:
        for who in present:
            for one in seen:
                together[whom[who], which[one]] += seconds
    rows, columns = linear_sum_assignment(-together)
    identities, characters = list(whom), list(which)
    match = {characters[c]: identities[r] for r, c in zip(rows, columns, strict=True) if together[r, c] > 0}
    present_s = missed = false = confused = 0.0
    for seconds, present, seen in spans:
        right = len({match.get(one) for one in seen} & present)
        present_s += seconds * len(present)
        missed += seconds * max(0, len(present) - len(seen))
        false += seconds * max(0, len(seen) - len(present))
        confused += seconds * (min(len(present), len(seen)) - right)
    return PresenceEvaluation(len(whom), len(which), present_s, missed, false, confused)


def _spans(truth: Iterable[Turn], found: Iterable[Turn]) -> list[tuple[float, set[str], set[str]]]:
    """Spans in which nothing changes: seconds, identities that are there, characters that are seen."""
    changes: dict[str, list[tuple[float, int, int, str]]] = defaultdict(list)  # of a video
    for side, turns in enumerate((truth, found)):
        for turn in turns:
            changes[turn.video] += [(turn.start_s, 1, side, turn.who), (turn.end_s, -1, side, turn.who)]
    spans = []
    for own in changes.values():
        count: tuple[dict[str, int], dict[str, int]] = (defaultdict(int), defaultdict(int))
        before = 0.0
        for time_s, step, side, who in sorted(own):
            if time_s > before:
                sets = [{one for one, times in counted.items() if times > 0} for counted in count]
                if any(sets):
                    spans.append((time_s - before, sets[0], sets[1]))
            before = time_s
            count[side][who] += step
    return spans
