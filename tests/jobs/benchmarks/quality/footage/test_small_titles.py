"""Small titles are cut by what is labelled, in whole shots of one video, and always the same."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.benchmarks.quality.footage.small_titles import MOST_APPEARANCES, SmallTitle, small_titles, spans_of
from vcn_ray.evaluate.ground_truth import GroundTruth, TrackMatches, match_tracks


@dataclass
class Tracks:
    """As far as a `TitleTracks` as small titles look at it: a track for each appearance, and some of nobody."""

    truth: GroundTruth
    nobody: tuple[tuple[str, int, int], ...] = ()  # video, first and last frame

    def frames(self) -> list[tuple[str, int, int, int]]:
        spans = [(video, *span) for (video, _, _), span in spans_of(self.truth).items()]
        return [(video, track, first, last) for track, (video, first, last) in enumerate([*spans, *self.nobody])]

    def match(self, truth: GroundTruth) -> TrackMatches:
        number = {appearance: track for track, appearance in enumerate(spans_of(truth))}
        own = [number[one] for one in zip(truth.video, truth.shot, truth.identity, strict=True)]
        video, frame = (np.array([one[n] for one in self.nobody], [object, np.int64][n]) for n in (0, 1))
        far = np.full((len(frame), 4), 900.0)
        return match_tracks(
            np.concatenate([truth.video, video]),
            np.concatenate([truth.frame, frame]),
            np.concatenate([truth.boxes, far]),
            np.array([*own, *range(len(number), len(number) + len(frame))], np.int64),
            truth,
        )


def labels(shots: Sequence[Sequence[str]], videos: int = 1) -> GroundTruth:
    """Shots of ten frames, labelled in their first and last one; each a list of who is in it, cut into videos."""
    rows: list[Any] = []
    for number, people in enumerate(shots):
        for place, who in enumerate(people):
            for frame in (10 * number, 10 * number + 9):
                rows.append((f"{number * videos // len(shots)}.mp4", frame, 100.0 * place, who, str(number)))
    video, frame, x, identity, shot = zip(*rows, strict=True)
    boxes = np.array([[left, 0, 50, 50] for left in x], np.float64)
    texts = (np.array(values, object) for values in (video, identity, shot))
    name, who_is, of_shot = texts
    return GroundTruth(name, np.array(frame), boxes, who_is, of_shot)


def people_of(title: SmallTitle) -> Counter[str]:
    assert title.appearances is not None
    return Counter(identity for _, _, identity in title.appearances)


def test_a_title_of_few_labelled_appearances_is_small_itself() -> None:
    truth = labels([["Überraschung é 日本"]] * MOST_APPEARANCES)
    assert small_titles(Tracks(truth, (("0.mp4", 0, 9),) * 9), truth) == [SmallTitle("whole")]
    more = labels([["<b>"]] * (MOST_APPEARANCES + 1))
    assert small_titles(Tracks(more), more) == []  # of one person nothing can be cut


def test_a_stretch_has_all_that_was_tracked_there() -> None:
    truth = labels([["abc"[n % 3], "def"[n % 3]] for n in range(60)])
    nobody = tuple(("0.mp4", frame, frame + 3) for frame in range(0, 600, 20))
    title = next(one for one in small_titles(Tracks(truth, nobody), truth) if "made up" not in one.name)
    first, last = map(int, title.name.rpartition(" ")[2].split("-"))
    frames = Tracks(truth, nobody).frames()
    inside = [track for _, track, begin, end in frames if first <= (begin + end) / 2 <= last]
    assert list(title.track_ids or ()) == inside
    assert max(inside) >= 2 * 60  # some of nobody


shots = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=4), min_size=30, max_size=80)


@settings(max_examples=20, deadline=None)
@given(shots, st.integers(1, 3))
def test_each_is_as_its_name_says_and_drawn_once_for_all(drawn: list[list[str]], videos: int) -> None:
    if not any(drawn):
        return
    truth = labels(drawn, videos)
    tracks = Tracks(truth)
    found = small_titles(tracks, truth)
    assert found == small_titles(tracks, truth)
    of_track = list(spans_of(truth))
    for title in found:
        if title.appearances is None:
            assert len(of_track) <= MOST_APPEARANCES
            continue
        assert [of_track[track] for track in title.track_ids or ()] == sorted(title.appearances, key=of_track.index)
        counts = people_of(title)
        assert 8 <= len(title.appearances) <= MOST_APPEARANCES
        assert 2 <= len(counts) <= 6
        assert ("a lead" in title.name) == (2 * max(counts.values()) >= len(title.appearances))
        if "made up" not in title.name:  # whole shots in a row, of one video
            shots_in = {(video, int(shot)) for video, shot, _ in title.appearances}
            assert len({video for video, _ in shots_in}) == 1
            numbers = [number for _, number in shots_in]
            between = [one for one in of_track if min(numbers) <= int(one[1]) <= max(numbers)]
            assert sorted(between) == sorted(title.appearances)


@pytest.mark.parametrize("lead", [True, False])
def test_people_are_drawn_where_no_stretch_has_so_few(lead: bool) -> None:
    crowd = [[f"{n}-{k}" for k in range(7)] for n in range(20)]  # seven strangers a shot
    truth = labels([[*strangers, "p", "q", "r"] for strangers in crowd])
    made = [title for title in small_titles(Tracks(truth), truth) if ("a lead" in title.name) == lead]
    assert made
    assert all("made up" in title.name for title in made)
