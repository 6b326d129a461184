"""Who is on screen when, against RTTM: figures by hand, and names of recordings with and without ending."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.errors import InputError
from vcn_ray.evaluate.presence import evaluate_presence, is_turns
from vcn_ray.track_files.rttm import Turn, write_rttm

turns = st.lists(
    st.builds(Turn, st.sampled_from(["a", "b"]), st.sampled_from("xyz"), st.integers(0, 20), st.integers(1, 9)),
    min_size=1,
    max_size=8,
)


def _measured(folder: Path, truth: list[Turn], found: list[Turn], titles: dict[str, str] | None = None):
    write_rttm(folder / "a.rttm", truth)
    return evaluate_presence(found, str(folder / "a.rttm"), titles or {"a.mp4": "one"})


def test_missed_false_and_confused_time(tmp_path: Path) -> None:
    truth = [Turn("a", "Anna", 0, 10), Turn("a", "Ben", 5, 10)]
    found = [Turn("a.mp4", "0", 0, 8), Turn("a.mp4", "1", 8, 4), Turn("a.mp4", "0", 20, 3)]
    figures = _measured(tmp_path, truth, found)
    # 0 is Anna and 1 is Ben: Ben is missed from 5 to 8 and from 12 to 15, Anna from 8 to 10; 20 to 23 is false.
    assert figures.summary() == {
        "identities": 2,
        "characters": 2,
        "present_s": 20.0,
        "missed_s": 8.0,
        "false_s": 3.0,
        "confused_s": 0.0,
        "error_rate": 0.55,
    }
    swapped = _measured(tmp_path, [Turn("a", "Anna", 0, 10), Turn("a", "Ben", 10, 5)], [Turn("a.mp4", "0", 0, 15)])
    assert (swapped.confused_s, swapped.error_rate) == (5.0, round(5 / 15, 4))


@settings(max_examples=25)
@given(turns)
def test_what_is_found_as_it_is_has_no_error(tmp_path_factory: pytest.TempPathFactory, turns: list[Turn]) -> None:
    found = [Turn(f"{turn.video}.mp4", f"Cast {turn.who}", turn.start_s, turn.duration_s) for turn in turns]
    figures = _measured(tmp_path_factory.mktemp("a"), turns, found, {"a.mp4": "one", "b.mp4": "two"})
    assert figures.error_rate == 0
    assert figures.missed_s == figures.false_s == figures.confused_s == 0


def test_titles_are_matched_each_alone(tmp_path: Path) -> None:
    truth = [Turn("a", "Anna", 0, 10), Turn("b", "Anna", 0, 10), Turn("c", "Anna", 0, 1)]
    found = [Turn("a.mp4", "0", 0, 10), Turn("b.mp4", "7", 0, 5)]
    figures = _measured(tmp_path, truth, found, {"a.mp4": "one", "b.mp4": "two", "d.mp4": "two"})
    assert [title.error_rate for title in figures.titles.values()] == [0, 0.5]
    assert figures.error_rate == 0.25
    assert figures.notes == ["c is in the RTTM but not in the run", "d.mp4 is not in the RTTM: left out"]


def test_it_has_to_be_of_the_runs_videos(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is of z, but the run is of a:"):
        _measured(tmp_path, [Turn("z", "Anna", 0, 1)], [])
    (tmp_path / "a.rttm").write_text("SPEAKER a 1 x 1 <NA> <NA> b <NA> <NA>\n")
    with pytest.raises(InputError, match=r"a.rttm, line 1: a line is `SPEAKER"):
        evaluate_presence([], str(tmp_path / "a.rttm"), {"a.mp4": "one"})
    assert is_turns(str(tmp_path / "a.rttm"))
    assert not is_turns(str(tmp_path))
