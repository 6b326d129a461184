import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.correctable_season import ODD, TITLES, Seen, write_correctable_season
from support.drawn_faces import DRAWN, write_gallery, write_picture

from vcn_ray.curation.finding import PersonFound, find_person
from vcn_ray.curation.found_outputs import write_found
from vcn_ray.curation.naming import name_season
from vcn_ray.errors import InputError, ModelError, OptionError
from vcn_ray.models.loading import FaceModels
from vcn_ray.schemas import SIGHTINGS
from vcn_ray.storage.store import Store


@pytest.fixture(scope="module")
def seasons(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two: the first knows person 0 as <b>Anna</b>, and has two of its tracks as Unknown; the other has 1 and 4."""
    folder = tmp_path_factory.mktemp("seasons")
    write_correctable_season(Store(folder / "one"))
    name_season(Store(folder / "one"), str(write_gallery(folder / "who" / "x", **{"<b>Anna": 0})), models=DRAWN)
    seen = [Seen(4, 0, 0), Seen(4, 1, 0), Seen(1, 2, 1), Seen(1, 3, 1), Seen(2, 4, 2), Seen(3, 5, 3)]
    write_correctable_season(Store(folder / "two"), {"s02e01": seen})
    return [str(folder / "one"), str(folder / "two")]


def _find(person: int, seasons: list[str], tmp_path: Path, **options: Any) -> PersonFound:
    return find_person([str(write_picture(tmp_path / "who.png", person))], seasons, models=DRAWN, **options)


def test_a_person_is_found_with_time_codes_and_nobody_else(seasons: list[str], tmp_path: Path) -> None:
    rows = _find(0, seasons, tmp_path).sightings.to_pylist()
    seen = [(row["title"], row["track_id"]) for row in rows]
    wanted = [(t, n) for t, tracks in TITLES.items() for n, track in enumerate(tracks) if track.person == 0]
    assert sorted(seen) == sorted(wanted)  # the Unknown track among them
    assert {row["character"] for row in rows} == {"<b>Anna", "Unknown"}
    assert min(row["probability"] for row in rows) > 0.5
    third = next(row for row in rows if (row["title"], row["track_id"]) == ("s01e01", 2))
    assert (third["first"], third["last"], third["first_frame"]) == ("00:00:00.800", "00:00:01.560", 20)
    known = [row for row in rows if row["cast_id"] is not None]
    assert [row["title"] for row in known] == sorted([row["title"] for row in known], key=list(TITLES).index)


def test_a_person_of_several_seasons_is_found_in_each(seasons: list[str], tmp_path: Path) -> None:
    found = _find(1, seasons, tmp_path)
    assert {season for season, _, _ in found.characters} == set(seasons)
    assert found.sightings.schema == SIGHTINGS
    assert {row["track_id"] for row in found.sightings.to_pylist() if row["season"] == seasons[1]} == {2, 3}
    assert _find(1, [seasons[1], seasons[1]], tmp_path).sightings.num_rows == 2


def test_not_found_is_an_answer(seasons: list[str], tmp_path: Path) -> None:
    found = _find(5, seasons, tmp_path)
    assert found.sightings.num_rows == 0
    assert found.characters == []
    assert found.searched == tuple(seasons)
    assert found.problems == ()
    assert "Not found" in Path(write_found(found, str(tmp_path / "x.html"))).read_text()


def test_what_cannot_be_searched_is_named_and_the_rest_is(seasons: list[str], tmp_path: Path) -> None:
    found = _find(1, [str(tmp_path / "nowhere"), *seasons], tmp_path)
    assert len(found.characters) == 2
    assert len(found.problems) == 1
    assert "nowhere: no finished run is there" in found.problems[0]
    write_picture(tmp_path / "several" / "a.png", 1)
    write_picture(tmp_path / "several" / "b.png", 1, 2)
    found = find_person([str(tmp_path / "several")], seasons, models=DRAWN)
    assert len(found.characters) == 2
    assert "shows 2 faces" in found.problems[0]


def test_nothing_to_search_by_or_in_is_an_error(seasons: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished run is there"):
        _find(1, [str(tmp_path / "nowhere")], tmp_path)
    with pytest.raises(InputError, match="no picture is there"):
        find_person([str(tmp_path / "nobody.png")], seasons, models=DRAWN)
    write_picture(tmp_path / "grey.png")
    with pytest.raises(InputError, match="shows no face"):
        find_person([str(tmp_path / "grey.png")], seasons, models=DRAWN)

    def missing(models: Any) -> Any:
        raise ModelError("pack 'drawn' is not installed: install it")

    with pytest.raises(ModelError, match="is not installed"):
        find_person([str(tmp_path / "who.png")], seasons, models=FaceModels(load=missing))
    with pytest.raises(InputError, match="--least 1: give a probability"):
        _find(1, seasons, tmp_path, least=1)


def test_csv_and_page_tell_the_same_and_hold_no_markup_of_users(seasons: list[str], tmp_path: Path) -> None:
    found = _find(0, seasons, tmp_path)
    with open(write_found(found, str(tmp_path / "found.csv")), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["first"] for row in rows] == found.sightings["first"].to_pylist()
    assert {row["title"] for row in rows} == {"s01e01", ODD}
    page = Path(write_found(found, str(tmp_path / "found.html"))).read_text()
    assert "<b>Anna" not in page
    assert "&lt;b&gt;Anna" in page
    assert "00:00:00.800" in page
    assert page.count('src="data:image/jpeg') >= 3  # the picture that was searched by, and faces found
    assert "http" not in page.replace("http-equiv", "")
    with pytest.raises(OptionError, match=r"ends in \.csv or \.html"):
        write_found(found, str(tmp_path / "found.txt"))


def test_pictures_of_faces_that_are_gone_are_left_out(seasons: list[str], tmp_path: Path) -> None:
    shutil.copytree(seasons[1], tmp_path / "two")
    found = _find(1, [str(tmp_path / "two")], tmp_path)
    for crops in (tmp_path / "two").rglob("tracks/crops.parquet"):
        crops.unlink()
    assert "no picture" not in Path(write_found(found, str(tmp_path / "found.html"))).read_text()
