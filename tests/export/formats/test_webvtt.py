"""Captions of who is on screen: nobody is left out or shown for long when away; any name is read back as it is."""

import html
from itertools import pairwise
from pathlib import Path

import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st
from support.finished_season import NAME, ODD, PLAIN, write_finished_season
from typer.testing import CliRunner

from vcn_ray.cli.commands import app
from vcn_ray.export.formats.presence import Presence
from vcn_ray.export.formats.webvtt import Cue, cues_of
from vcn_ray.export.formats.webvtt import webvtt as text_of
from vcn_ray.season.season_result import SeasonResult
from vcn_ray.storage.store import Store

#: A name is early or late by less than a short cue and a blink.
SLACK_MS = 500 + 200


@st.composite
def presences(draw: st.DrawFn) -> list[Presence]:
    """Of up to four characters, each apart from itself by a frame at least."""
    found = []
    for who in "ABCD"[: draw(st.integers(1, 4))]:
        at_ms = 0
        for away_ms, here_ms in draw(st.lists(st.tuples(st.integers(40, 3000), st.integers(1, 3000)), max_size=6)):
            found.append(Presence(who, (at_ms + away_ms) / 1000, (at_ms + away_ms + here_ms) / 1000, (0,)))
            at_ms += away_ms + here_ms
    return sorted(found, key=lambda one: one[1:])


@given(presences())
def test_whoever_is_there_is_shown_and_whoever_is_away_soon_not_any_more(there: list[Presence]) -> None:
    cues = cues_of(there)
    assert all(before.end_ms <= cue.start_ms for before, cue in pairwise(cues))
    assert all(cue.start_ms < cue.end_ms and len(set(cue.names)) == len(cue.names) > 0 for cue in cues)
    shown = [(cue.start_ms, cue.end_ms, name) for cue in cues for name in cue.names]
    spans = [(round(1000 * one.start_s), round(1000 * one.end_s), one.who) for one in there]
    for start, end, who in spans:
        covered = sum(max(0, min(end, to) - max(start, since)) for since, to, name in shown if name == who)
        assert covered == end - start
    for since, to, name in shown:
        near = [(start - SLACK_MS, end + SLACK_MS) for start, end, who in spans if who == name]
        at = since
        for start, end in sorted(near):
            at = max(at, end) if start <= at else at
        assert at >= to


def test_a_cut_a_blink_and_a_flash() -> None:
    there = [("A", 0, 5), ("B", 0.2, 3), ("C", 5.1, 7), ("D", 6, 6.1), ("A", 9, 9.1)]
    assert cues_of([Presence(who, start, end, (0,)) for who, start, end in there]) == [
        Cue(0, 3000, ("A", "B")),  # B comes a little early
        Cue(3000, 5100, ("A",)),  # and the cut is no gap
        Cue(5100, 6000, ("C",)),
        Cue(6000, 6100, ("C", "D")),  # D is short, but is nowhere else
        Cue(6100, 7000, ("C",)),
        Cue(9000, 9100, ("A",)),
    ]


@pytest.mark.parametrize(
    "name", ["Überraschung é 日本", '<b>"Q"</b> & co.', "-->", "a\nb\r\n\nc", "=1+1", "NOTE x", "&lt;"]
)
def test_any_name_is_one_line_that_is_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.vtt"
    path.write_text(text_of([Cue(0, 3_600_000, (name, "B")), Cue(3_600_000, 3_600_001, ("B",))]), encoding="utf-8")
    first, second = webvtt.read(path)
    assert [html.unescape(line) for line in first.raw_text.split("\n")] == [" ".join(name.split()), "B"]
    assert (first.end, second.start, second.end) == ("01:00:00.000", "01:00:00.000", "01:00:00.001")


def test_a_file_a_video_without_unknown_tracks(known_season: SeasonResult, tmp_path: Path) -> None:
    one = known_season.export("webvtt", tmp_path / "one.vtt", title=PLAIN)
    assert [(cue.start, cue.end, cue.text) for cue in webvtt.read(one.where)] == [
        ("00:00:00.000", "00:00:04.040", "Cast 0"),
        ("00:00:05.000", "00:00:07.040", "Cast 1"),
        ("00:00:08.000", "00:00:10.040", "Cast 0"),
    ]
    two = known_season.export("webvtt", tmp_path / "two.vtt", title=ODD)
    assert sorted(path.name for path in Path(two.where).iterdir()) == ["a.mp4.vtt", "b.mp4.vtt"]
    assert html.escape(NAME, quote=False) in Path(two.where, "a.mp4.vtt").read_text(encoding="utf-8")
    nobody = known_season.export("webvtt", tmp_path / "nobody.vtt", character="Unknown")
    assert Path(nobody.where).read_text(encoding="utf-8") == "WEBVTT\n"
    assert nobody.remarks == ("a.mp4: all tracks are Unknown, which this format leaves out, so that nobody is in it",)


def test_from_bucket_to_bucket_without_working_data(s3_bucket: str) -> None:
    write_finished_season(Store(f"{s3_bucket}/out"))
    for name in ("webvtt", "ebucore", "indexer-json", "csv-cast"):
        arguments = ["export", f"{s3_bucket}/out", "--to", name, "-o", f"{s3_bucket}/{name}", "--title", ODD]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    assert Store(s3_bucket).keys("webvtt/") == ["webvtt/a.mp4.vtt", "webvtt/b.mp4.vtt"]
    assert Store(s3_bucket).read_json("indexer-json")["summarizedInsights"]["faces"][0]["thumbnailId"]
