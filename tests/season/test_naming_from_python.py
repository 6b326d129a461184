from pathlib import Path

import pytest
from support.command_line import write_video
from support.correctable_season import write_correctable_season
from support.drawn_faces import DRAWN, write_gallery

import vcn_ray
from vcn_ray.curation import finding, naming
from vcn_ray.errors import InputError
from vcn_ray.storage.store import Store


def test_a_season_is_named_and_searched_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for function in (naming.name_season, finding.find_person):
        monkeypatch.setitem(function.__kwdefaults__, "models", DRAWN)
    write_correctable_season(Store(tmp_path / "out"))
    season = vcn_ray.load(tmp_path / "out")
    assert {member.label for member in season.cast} == {"Cast 0", "Cast 1", "Cast 2"}
    gallery = write_gallery(tmp_path / "who", Anna=0)
    names = season.name(gallery)
    assert names.named["name"].to_pylist() == ["Anna"]
    assert "Anna" in {member.label for member in season.cast}  # what it had read is read anew
    found = season.find(gallery / "Anna.png", others=[tmp_path / "nowhere"])
    assert set(found.sightings["character"].to_pylist()) == {"Anna", "Unknown"}
    assert len(found.problems) == 1
    with pytest.raises(InputError, match="no picture is there"):
        season.find(tmp_path / "nobody.png")


def test_a_run_looks_for_its_gallery_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no reference picture is there"):
        vcn_ray.run(write_video(tmp_path / "a.mp4"), tmp_path / "out", gallery=tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()
