import unicodedata
from pathlib import Path

import pytest
from support.drawn_faces import write_picture

from vcn_ray.errors import InputError
from vcn_ray.identify.gallery import clean_name, find_gallery, pictures_of_one
from vcn_ray.storage.store import Store


def test_a_name_is_a_file_or_a_folder_and_several_pictures_are_one_person(tmp_path: Path) -> None:
    for key in ("Anna.png", "Anna/2.JPG", "Bo Li/a.webp", "Bo Li/b.jpeg", ".DS_Store", ".hidden/x.jpg"):
        write_picture(tmp_path / key, 0)
    gallery = find_gallery(str(tmp_path))
    assert [(picture.name, picture.key) for picture in gallery.pictures] == [
        ("Anna", "Anna.png"),
        ("Anna", "Anna/2.JPG"),
        ("Bo Li", "Bo Li/a.webp"),
        ("Bo Li", "Bo Li/b.jpeg"),
    ]
    assert gallery.problems == ()


def test_names_are_composed_and_hostile_ones_stay_text(tmp_path: Path) -> None:
    names = ["Überraschung é 日本", "<b>", "=1+1", 'O\'Hara "Q"', "a.b"]
    for name in names:
        write_picture(tmp_path / f"{unicodedata.normalize('NFD', name)}.png", 0)
    assert {picture.name for picture in find_gallery(str(tmp_path)).pictures} == set(names)


def test_what_is_no_picture_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    write_picture(tmp_path / "Anna.png", 0)
    write_picture(tmp_path / "season1/Bo/x.png", 0)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "jpg").write_text("no ending")
    write_picture(tmp_path / "evil\u202ename.png", 0)
    write_picture(tmp_path / "Unknown/1.png", 0)
    gallery = find_gallery(str(tmp_path))
    assert [picture.name for picture in gallery.pictures] == ["Anna"]
    problems = "\n".join(gallery.problems)
    assert len(gallery.problems) == 5
    for part in (
        "notes.txt is no picture",
        "x.png lies too deep",
        "names nobody: a name has",
        "cannot be printed",
        "'Unknown' is what those are called who have no name",
    ):
        assert part in problems


def test_an_empty_gallery_says_what_to_put_there(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"no reference picture is there: put some in as Name/picture\.jpg"):
            find_gallery(str(folder))


def test_a_gallery_in_an_object_store_is_one_too(s3_bucket: str) -> None:
    store = Store(f"{s3_bucket}/people")
    for key in ("Anna/1.jpg", "Bo.png"):
        store.write_bytes(key, b"picture")
    gallery = find_gallery(store.url)
    assert [(picture.name, picture.read()) for picture in gallery.pictures] == [
        ("Anna", b"picture"),
        ("Bo", b"picture"),
    ]
    (one,) = pictures_of_one([f"{store.url}/Bo.png"], "who").pictures
    assert (one.name, one.where) == ("who", f"{store.url}/Bo.png")


def test_pictures_of_one_person_are_files_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(tmp_path / "a.png", 0)
    write_picture(tmp_path / "more/b.png", 0)
    (tmp_path / "more/notes.txt").write_text("passed over")
    found = pictures_of_one([str(tmp_path / "a.png"), str(tmp_path / "more")], "who").pictures
    assert [picture.where for picture in found] == [str(tmp_path / "a.png"), str(tmp_path / "more/b.png")]
    monkeypatch.chdir(tmp_path)
    assert pictures_of_one(["a.png"], "who").pictures[0].read() == (tmp_path / "a.png").read_bytes()
    with pytest.raises(InputError, match=r"c\.png: no picture is there"):
        pictures_of_one([str(tmp_path / "c.png")], "who")


@pytest.mark.parametrize("text", ["", "  ", "x" * 201, "a\x00b", "\u200e", "\u200d"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        clean_name(text)


def test_white_space_of_a_name_is_single_blanks() -> None:
    assert clean_name(" Anna \t  Li ") == "Anna Li"


def test_names_may_hold_what_joins_letters() -> None:
    assert clean_name("مه\u200cسا") == "مه\u200cسا"
