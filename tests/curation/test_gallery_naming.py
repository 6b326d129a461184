import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.correctable_season import ODD, TITLES, Seen, read_rows, write_correctable_season
from support.drawn_faces import DRAWN, write_gallery, write_picture

from vcn_ray.corrections.correction import Kind, make_correction
from vcn_ray.corrections.correction_file import edit_corrections, read_corrections
from vcn_ray.curation.applying import apply_to_season
from vcn_ray.curation.finding import find_person
from vcn_ray.curation.naming import SeasonNames, name_season
from vcn_ray.errors import InputError, ModelError
from vcn_ray.models.loading import FaceModels
from vcn_ray.storage.store import Store


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_correctable_season(Store(folder))
    return folder


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Store:
    shutil.copytree(made, tmp_path / "out")
    return Store(tmp_path / "out")


def _name(out: Store, gallery: Path | str, **options: Any) -> SeasonNames:
    return name_season(out, str(gallery), models=DRAWN, **options)


def _called(out: Store) -> dict[tuple[str, int], str | None]:
    """What each track's character is called, by title and track."""
    rows = out.read_table("tracks.parquet", ["title", "track_id", "character"]).to_pylist()
    return {(row["title"], row["track_id"]): row["character"] for row in rows}


def _say(out: Store, kind: Kind, title: int, track: int, **what: Any) -> None:
    found, places = read_rows(out)
    said = make_correction(kind, [places.anchor(found.row(title, track))], by="Ada", **what)
    edit_corrections(out, lambda present: [*present, said])


def test_names_reach_tables_and_nobody_of_the_gallery_is_an_answer(out: Store, tmp_path: Path) -> None:
    names = _name(out, write_gallery(tmp_path / "who", Anna=0, Bo=1, Stranger=5))
    called = _called(out)
    assert called["s01e01", 0] == called["s01e01", 2] == called[ODD, 0] == "Anna"
    assert called["s01e01", 1] == called[ODD, 1] == "Bo"
    assert called[ODD, 5] is None
    assert "Stranger" not in called.values()
    assert names.people == 3
    assert names.problems == ()
    cast = out.read_table("cast.parquet").to_pylist()
    assert {row["character"] for row in cast if row["name_confidence"] is not None} == {"Anna", "Bo"}
    assert min(row["name_confidence"] for row in cast if row["character"]) > 0.9
    answers = {row["cast_id"]: row for row in names.names.to_pylist() if row["rank"] == 1}
    assert {answers[row["cast_id"]]["name"] for row in cast} == {"Anna", "Bo", None}
    assert all(answer["given"] == (answer["name"] is not None) for answer in answers.values())
    assert out.read_table("names.parquet").equals(names.names)


def test_naming_again_replaces_a_gallerys_names_and_no_persons(out: Store, tmp_path: Path) -> None:
    _say(out, Kind.NAME, 0, 1, name="Robert")
    _name(out, write_gallery(tmp_path / "wrong", Wrong=0, Bo=1))
    assert set(_called(out).values()) == {"Wrong", "Robert", None}
    before = read_corrections(out)
    _name(out, tmp_path / "wrong")
    assert read_corrections(out) == before  # said already
    names = _name(out, write_gallery(tmp_path / "right", Anna=0, Bo=1))
    called = _called(out)
    assert called["s01e01", 0] == "Anna"
    assert called["s01e01", 1] == "Robert"
    assert set(called.values()) == {"Anna", "Robert", None}
    assert [(one.name, one.by) for one in read_corrections(out)] == [("Robert", "Ada"), ("Anna", "gallery right")]
    assert {row["character"] for row in names.named.to_pylist()} == {"Anna"}


def test_whom_a_person_named_is_not_anybody_else_and_who_is_to_have_no_name_gets_none(
    out: Store, tmp_path: Path
) -> None:
    """Person 1 is seen with person 0: if Ada says that one is Anna, the other is not, whatever pictures say."""
    _say(out, Kind.NAME, 0, 1, name="Anna")
    gallery = write_gallery(tmp_path / "who", Anna=0)
    _name(out, gallery)
    assert _called(out)["s01e01", 0] is None
    assert _called(out)["s01e01", 1] == "Anna"
    _say(out, Kind.UNNAME, 0, 1)
    _name(out, write_gallery(tmp_path / "both", Anna=0, Bo=1))
    assert _called(out)["s01e01", 0] == "Anna"
    assert _called(out)["s01e01", 1] is None


def test_pictures_that_cannot_be_used_are_named_and_the_others_name(out: Store, tmp_path: Path) -> None:
    gallery = write_gallery(tmp_path / "who", Anna=0, Two=[1, 2], Nobody=[])
    (gallery / "notes.txt").write_text("no picture")
    names = _name(out, gallery)
    assert len(names.problems) == 3
    assert _called(out)["s01e01", 0] == "Anna"


def test_hostile_names_are_text_everywhere(out: Store, tmp_path: Path) -> None:
    gallery = tmp_path / '=1+1 "é" <b>'
    write_picture(gallery / "=1+1.png", 0)
    write_picture(gallery / "<b>Überraschung é 日本" / "a.png", 1)
    _name(out, gallery)
    assert set(_called(out).values()) == {"=1+1", "<b>Überraschung é 日本", None}
    with open(out.where("names.csv"), encoding="utf-8") as file:
        assert {row["name"] for row in csv.DictReader(file)} == {"'=1+1", "<b>Überraschung é 日本", ""}
    page = out.read_bytes("index.html").decode()
    assert "<b>Überraschung" not in page
    assert "&lt;b&gt;Überraschung" in page


def test_an_earlier_season_carries_names_and_numbers_over(out: Store, tmp_path: Path) -> None:
    _name(out, write_gallery(tmp_path / "who", Anna=0))
    earlier = {row["character"] or row["cast_id"]: row["cast_id"] for row in out.read_table("cast.parquet").to_pylist()}
    bo = {row["title"]: row["cast_id"] for row in _rows_of(out, 1)}["s01e01"]
    later = Store(tmp_path / "season 2")
    seen = [Seen(4, 0, 0), Seen(4, 1, 0), Seen(4, 2, 0), Seen(1, 3, 1), Seen(1, 4, 1), Seen(0, 5, 2), Seen(5, 6, 3)]
    write_correctable_season(later, {"s02e01": seen})
    names = name_season(later, out.url, models=DRAWN)
    cast = {row["cast_id"]: row["character"] for row in later.read_table("cast.parquet").to_pylist()}
    assert cast[earlier["Anna"]] == "Anna"
    assert {row["track_id"] for row in later.read_table("tracks.parquet").to_pylist() if row["cast_id"] == bo} == {3, 4}
    assert cast[bo] is None
    said = [(one.kind, one.name, one.number) for one in read_corrections(later)]
    assert sorted(said) == sorted(
        [(Kind.NAME, "Anna", None), (Kind.NUMBER, None, earlier["Anna"]), (Kind.NUMBER, None, bo)]
    )
    assert {(row["name"], row["gallery_cast_id"]) for row in names.named.to_pylist()} == {
        ("Anna", earlier["Anna"]),
        (None, bo),
    }


def test_a_number_may_be_any(out: Store, tmp_path: Path) -> None:
    """Nothing is kept for all the numbers below it."""
    high = 900_000_000
    _say(out, Kind.NUMBER, 0, 1, number=high)
    apply_to_season(out)
    later = Store(tmp_path / "season 2")
    write_correctable_season(later, {"s02e01": [Seen(1, 0, 0), Seen(1, 1, 0), Seen(4, 2, 1), Seen(4, 3, 1)]})
    assert high in name_season(later, out.url, models=DRAWN).names["cast_id"].to_pylist()
    found = find_person([str(write_picture(tmp_path / "who.png", 1))], [later.url], models=DRAWN)
    assert set(found.sightings["cast_id"].to_pylist()) == {high}


def _rows_of(out: Store, track_id: int) -> list[dict[str, Any]]:
    return [row for row in out.read_table("tracks.parquet").to_pylist() if row["track_id"] == track_id]


def test_what_cannot_be_a_gallery_is_told_with_the_remedy(out: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no reference picture is there"):
        _name(out, tmp_path / "nowhere")
    with pytest.raises(InputError, match="this is the season itself"):
        _name(out, out.url)
    with pytest.raises(InputError, match="no finished run is there"):
        _name(Store(tmp_path / "nowhere"), write_gallery(tmp_path / "who", Anna=0))
    with pytest.raises(InputError, match=r"--least 0\.2: give a probability from 0\.5"):
        _name(out, tmp_path / "who", least=0.2)
    assert read_corrections(out) == []


def test_another_network_cannot_be_compared_with(out: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    write_correctable_season(other, {"s02e01": TITLES["s01e01"]})
    key = next(key for key in other.keys("titles/") if key.endswith("embeddings.parquet"))
    table = other.read_table(key)
    place = table.schema.get_field_index("face_id")
    other.write_table(key, table.set_column(place, table.schema.field(place), [["another"] * table.num_rows]))
    with pytest.raises(InputError, match="made with another face-ID network"):
        _name(out, other.url)
    with pytest.raises(ModelError, match="is not the one that the results were made with"):
        _name(other, write_gallery(tmp_path / "who", Anna=0))


def _not_installed(models: Any) -> Any:
    raise ModelError("pack 'drawn' is not installed: install it")


def test_face_models_that_are_not_installed_are_told(out: Store, tmp_path: Path) -> None:
    gallery = write_gallery(tmp_path / "who", Anna=0)
    with pytest.raises(ModelError, match="is not installed"):
        name_season(out, str(gallery), models=FaceModels(load=_not_installed))


def test_results_and_gallery_may_lie_in_an_object_store(s3_bucket: str, tmp_path: Path) -> None:
    out = Store(f"{s3_bucket}/out")
    seen = [Seen(0, 0, 0), Seen(1, 0, 1, 1), Seen(2, 1, 2), Seen(3, 2, 3), Seen(1, 3, 1)]
    write_correctable_season(out, {"s01e01": seen})
    gallery = Store(f"{s3_bucket}/who")
    for name, person in (("Anna", 0), ("Bo/1", 1)):
        gallery.write_bytes(f"{name}.png", write_picture(tmp_path / "x.png", person).read_bytes())
    _name(out, gallery.url)
    assert _called(out)["s01e01", 0] == "Anna"
    assert _called(out)["s01e01", 1] == "Bo"
