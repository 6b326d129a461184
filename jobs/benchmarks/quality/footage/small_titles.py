"""Small titles: whole ones, stretches of time of longer ones, and made-up ones where a season has no such stretch.

They are cut by the labelled appearances (video, shot, identity) alone, so that another detector, another tracker or a
degraded copy is asked the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from jobs.benchmarks.quality.footage.title_tracks import TitleTracks
from vcn_ray.evaluate.ground_truth import GroundTruth

#: (file name of the video, shot, identity)
Appearance = tuple[str, object, str]

#: A title of so many labelled appearances is small.
MOST_APPEARANCES = 40

#: Appearances of a title that is cut, from and to; one with a lead and one without is cut of each size.
_SIZES = ((8, 14), (15, 24), (25, MOST_APPEARANCES))
_PEOPLE = (2, 6)
_TRIES = 200  # to make one up

_LEADS = {True: "a lead", False: "no lead"}


@dataclass(frozen=True)
class SmallTitle:
    """A small title that some footage gives; None: all of the footage's."""

    name: str
    track_ids: tuple[int, ...] | None = None
    appearances: tuple[Appearance, ...] | None = None  # those whose labels count


@dataclass(frozen=True)
class Stretch:
    """Some shots of a video in a row."""

    appearances: tuple[Appearance, ...]
    video: str
    first_frame: int  # of the first label
    last_frame: int  # of the last one


def small_titles(tracks: TitleTracks, truth: GroundTruth) -> list[SmallTitle]:
    """The small titles of some footage: itself where it is small, else one of each size with a lead and one without.

    A lead has at least half of the appearances. Each is a stretch of whole shots of one video, with all that was
    tracked there, labelled or not; where there is no such stretch, drawn people in a stretch of their own appearances,
    without what nobody could name. Two stretches overlap as little as they can. The draw is the same in every call.
    """
    spans = spans_of(truth)
    if len(spans) <= MOST_APPEARANCES:
        return [SmallTitle("whole")]
    matches = tracks.match(truth)
    appearances = zip(matches.video, matches.shot, matches.identity, strict=True)
    shown = dict(zip(matches.track_id.tolist(), appearances, strict=True))
    stretches = _stretches(spans)
    found: list[SmallTitle] = []
    taken: set[Appearance] = set()
    for number, (size, lead) in enumerate(product(_SIZES, (True, False))):
        rng = np.random.default_rng(number)
        fitting = [stretch for stretch in stretches if _fits(stretch.appearances, size, lead)]
        members: list[int] = []
        if fitting:
            drawn = [fitting[place] for place in rng.permutation(len(fitting)).tolist()]
            stretch = min(drawn, key=lambda one: len(taken.intersection(one.appearances)) / len(one.appearances))
            chosen, where = stretch.appearances, f"{stretch.video} {stretch.first_frame}-{stretch.last_frame}"
            members = _unnamed_tracks(tracks, shown, stretch)
            taken.update(chosen)
        else:
            chosen, where = _made_up(list(spans), size, lead, rng), "made up"
        if chosen:
            members += [track for track, appearance in shown.items() if appearance in set(chosen)]
            people = len({identity for _, _, identity in chosen})
            name = f"{len(chosen)} of {people} people, {_LEADS[lead]}, {where}"
            found.append(SmallTitle(name, tuple(sorted(members)), chosen))
    return found


def spans_of(truth: GroundTruth) -> dict[Appearance, tuple[int, int]]:
    """First and last labelled frame of each appearance, by video, then by shots in order of time."""
    spans: dict[Appearance, tuple[int, int]] = {}
    for *appearance, frame in zip(truth.video, truth.shot, truth.identity, truth.frame.tolist(), strict=True):
        first, last = spans.get(tuple(appearance), (frame, frame))
        spans[tuple(appearance)] = min(first, frame), max(last, frame)
    begin: dict[tuple[str, object], int] = {}
    for (video, shot, _), (first, _) in spans.items():
        begin[video, shot] = min(first, begin.get((video, shot), first))
    order = sorted(spans, key=lambda one: (one[0], begin[one[:2]], str(one[1]), spans[one], one[2]))
    return {appearance: spans[appearance] for appearance in order}


def _stretches(spans: dict[Appearance, tuple[int, int]]) -> list[Stretch]:
    """All stretches of at most `MOST_APPEARANCES`."""
    shots: dict[tuple[str, object], list[Appearance]] = {}
    for appearance in spans:
        shots.setdefault(appearance[:2], []).append(appearance)
    found = []
    in_order = list(shots.items())
    for start, ((video, _), _) in enumerate(in_order):
        together: list[Appearance] = []
        for (of_video, _), own in in_order[start:]:
            together = [*together, *own]
            if of_video != video or len(together) > MOST_APPEARANCES:
                break
            frames = [frame for one in together for frame in spans[one]]
            found.append(Stretch(tuple(together), video, min(frames), max(frames)))
    return found


def _fits(appearances: Sequence[Appearance], size: tuple[int, int], lead: bool) -> bool:
    counts = Counter(identity for _, _, identity in appearances)
    if not (size[0] <= len(appearances) <= size[1] and _PEOPLE[0] <= len(counts) <= _PEOPLE[1]):
        return False
    return (2 * max(counts.values()) >= len(appearances)) == lead


def _unnamed_tracks(tracks: TitleTracks, shown: dict[int, tuple], stretch: Stretch) -> list[int]:
    """Tracks in the middle of whose frames the stretch is, and of which no label says who they are."""
    return [
        track
        for video, track, first, last in tracks.frames()
        if video == stretch.video
        and shown[track][2] is None
        and stretch.first_frame <= (first + last) / 2 <= stretch.last_frame
    ]


def _made_up(
    appearances: Sequence[Appearance], size: tuple[int, int], lead: bool, rng: np.random.Generator
) -> tuple[Appearance, ...]:
    """A run in order of time of drawn people's appearances, a lead's apart from the others'; () where none fits.

    Who appears more often is more often drawn.
    """
    counts = Counter(identity for _, _, identity in appearances)
    people = sorted(counts)
    share = np.array([counts[identity] for identity in people]) / len(appearances)

    def run(who: Sequence[str], number: int) -> list[Appearance]:
        own = [one for one in appearances if one[2] in who]
        start = int(rng.integers(max(1, len(own) - number + 1)))
        return own[start : start + number]

    for _ in range(_TRIES):
        number = int(rng.integers(size[0], size[1] + 1))
        cast_size = min(len(people), int(rng.integers(_PEOPLE[0], _PEOPLE[1] + 1)))
        cast = rng.choice(people, cast_size, replace=False, p=share).tolist()
        if lead:
            of_lead = run(cast[:1], int(np.ceil(rng.uniform(0.5, 0.8) * number)))
            drawn = [*of_lead, *run(cast[1:], min(len(of_lead), number - len(of_lead)))]
        else:
            drawn = run(cast, number)
        if _fits(drawn, size, lead):
            return tuple(drawn)
    return ()
