"""`vcn-ray overlay`: what it writes, says and gives as exit code."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from support.command_line import cli, complaints
from support.filmed_season import ANNA, TITLE, write_film, write_filmed_season

from vcn_ray.corrections.correction import Kind, TrackAnchor, make_correction
from vcn_ray.corrections.correction_file import to_yaml
from vcn_ray.storage.store import Store


@pytest.fixture
def season(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of results beside its film, and the folder that we are in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_filmed_season(Store(tmp_path / "out"), write_film(tmp_path / "film.mkv", ("aac",)))
    return tmp_path / "out"


def test_a_video_is_named_after_its_film_by_default(season: Path) -> None:
    result = cli("overlay", season, TITLE)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"wrote {Path('film-overlay.mkv').absolute()}"
    assert "video done in" in result.stdout
    assert all("no font of this machine has" in line for line in complaints(result))


def test_what_hiding_does_not_promise_is_said(season: Path) -> None:
    result = cli("overlay", season, "-o", "new/x.mp4", "--blur", ANNA, "--blur", "1", "--local")
    assert result.exit_code == 0, result.output
    assert "Unknown faces are hidden" in result.stdout
    with av.open("new/x.mp4") as container:
        assert len(list(container.decode(video=0))) == 48


def test_a_film_that_is_gone_is_told(season: Path) -> None:
    (season.parent / "film.mkv").unlink()
    result = cli("overlay", season, "-o", "x.mp4")
    assert result.exit_code == 1
    assert "is not there any more" in complaints(result)[-1]
    assert not list(Path().iterdir())


def test_nobody_is_hidden_by_tables_that_corrections_may_change(season: Path) -> None:
    Store(season).write_bytes("corrections.yaml", b"garbage: [")
    drawn = cli("overlay", season, TITLE, "-o", "x.mp4")
    assert drawn.exit_code == 0
    assert any("whether corrections wait cannot be told" in line for line in complaints(drawn))
    assert cli("overlay", season, TITLE, "-o", "y.mp4", "--blur", ANNA).exit_code == 2
    said = make_correction(Kind.NAME, [TrackAnchor("a", (0, 1), ((0, 1, 1, 5, 5),))], by="Kim", name="Bo")
    Store(season).write_bytes("corrections.yaml", to_yaml([said]).encode())
    for hidden in ("--blur", "--blur-all-but"):
        refused = cli("overlay", season, TITLE, "-o", "y.mp4", hidden, ANNA)
        assert refused.exit_code == 2
        assert "corrections wait, and may say that somebody is to be hidden" in complaints(refused)[-1]
    assert [path.name for path in Path().iterdir()] == ["x.mp4"]


def test_wrong_arguments_are_one_sentence(season: Path) -> None:
    for arguments, message in (
        (("Uberraschung",), "no title is called 'Uberraschung'"),
        (("-o", ""), "--out is an empty text: name a folder"),
        (("-o", "x.webm"), "videos are written as .mp4, .m4v, .mov, .mkv"),
        (("--blur", "=1+1"), "no track is of a character '=1+1'"),
    ):
        result = cli("overlay", season, *arguments)
        assert result.exit_code == 2
        [line] = complaints(result)
        assert message in line
