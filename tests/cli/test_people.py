"""The commands that name and find people; what they do is tested where it is done."""

from pathlib import Path

import pytest
from support.command_line import cli, complaints, write_video
from support.correctable_season import write_correctable_season
from support.drawn_faces import DRAWN, write_gallery, write_picture

from vcn_ray.curation import finding, naming
from vcn_ray.storage.store import Store


@pytest.fixture
def season(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A season of drawn people, and the commands with the models that see them."""
    write_correctable_season(Store(tmp_path / "out"))
    for function in (naming.name_season, finding.find_person):
        monkeypatch.setitem(function.__kwdefaults__, "models", DRAWN)
    return tmp_path / "out"


def test_name_prints_who_everybody_is_and_names_pictures_that_cannot_be_used(season: Path, tmp_path: Path) -> None:
    gallery = write_gallery(tmp_path / "who", **{"[red]Anna": 0, "Bo": 1})
    result = cli("name", season, "--gallery", gallery)
    assert result.exit_code == 0, result.output
    assert "[red]Anna" in result.stdout
    assert "nobody of it" in result.stdout
    assert "2 of 3 members of the cast named by a gallery of 2" in result.stdout
    write_picture(gallery / "Two.png", 1, 2)
    result = cli("name", season, "--gallery", gallery, "--least", "0.9")
    assert result.exit_code == 1
    (complaint,) = complaints(result)
    assert "Two.png shows 2 faces; crop it to the one that is meant" in complaint


def test_find_prints_and_writes_where_somebody_is_or_that_nobody_was_found(season: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.csv"
    result = cli("find", write_picture(tmp_path / "who.png", 1), season, "-o", out, "-o", tmp_path / "found.html")
    assert result.exit_code == 0, result.output
    assert "s01e01 00:00:00.000" in result.stdout
    assert "s01e01" in out.read_text()
    assert (tmp_path / "found.html").exists()
    result = cli("find", write_picture(tmp_path / "nobody.png", 5), season)
    assert result.exit_code == 0
    assert f"not found in {season}" in result.stdout
    assert cli("find", tmp_path / "who.png", season, tmp_path / "nowhere").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["name", "nowhere", "--gallery", "nowhere"], "nowhere: no finished run is there"),
        (["find", "who.png", "nowhere", "-o", "x.txt"], "--out x.txt: name a file that ends in .csv or .html"),
        (["find", "who.png", "nowhere"], "who.png: no picture is there (jpg, jpeg, png, webp); check the path"),
        (["run", "a.mp4", "-o", "out", "--gallery", "nowhere"], "nowhere: no reference picture is there"),
    ],
)
def test_what_is_wrong_is_told_before_any_work(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.mp4")
    result = cli(*arguments)
    assert result.exit_code == 2
    (complaint,) = complaints(result)
    assert sentence in complaint
    assert not (tmp_path / "out").exists()
