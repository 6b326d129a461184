"""Which videos a run has and how its titles are named.

- One video is one title; `--title` joins all of them.
- No two titles share a folder, on any file system; no user text reaches a path.
- An input that is no video is refused by name and the others go on.
"""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.errors import InputError
from vcn_ray.inputs.discovery import distinct_names
from vcn_ray.inputs.resolve import find_season
from vcn_ray.inputs.titles import slug

IDS = st.text(min_size=1, max_size=200).filter(lambda text: "\0" not in text)


def _touch(folder: Path, *names: str) -> list[str]:
    paths = []
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        paths.append(str(path))
    return paths


@given(IDS, IDS)
def test_slugs_of_two_ids_differ_also_where_case_is_ignored(one: str, other: str) -> None:
    assert (one == other) == (slug(one).lower() == slug(other).lower())


@given(IDS)
def test_slug_is_a_plain_file_name(title_id: str) -> None:
    assert re.fullmatch(r"[a-z0-9_-]{1,120}", slug(title_id))


@pytest.mark.parametrize(
    ("title_id", "expected"),
    [
        ("s01e01", "s01e01"),
        ("the_film-2019", "the_film-2019"),
        ("S01 Pilot", "s01-pilot--DIGEST"),
        ("../x", "x--DIGEST"),
        ("é", "--DIGEST"),
        ("x--0123456789ab", "x-0123456789ab--DIGEST"),
    ],
)
def test_slug_is_readable(title_id: str, expected: str) -> None:
    assert re.fullmatch(expected.replace("DIGEST", "[0-9a-f]{12}"), slug(title_id))


def test_long_ids_that_differ_at_the_end_only_keep_their_own_folders() -> None:
    assert slug("é" * 300 + "a") != slug("é" * 300 + "b")


def test_each_video_is_a_title_named_by_its_stem(tmp_path: Path) -> None:
    season = find_season(_touch(tmp_path, "s01e02.mkv", "s01e01.mp4"))
    assert [(title.id, title.names) for title in season.titles] == [
        ("s01e02", ("s01e02.mkv",)),
        ("s01e01", ("s01e01.mp4",)),
    ]


def test_equal_stems_are_told_apart_by_folder_or_ending(tmp_path: Path) -> None:
    videos = _touch(tmp_path, "a/pilot.mp4", "b/pilot.mp4", "b/pilot.mkv", "other.mp4")
    ids = [title.id for title in find_season(videos).titles]
    assert ids == ["pilot", "pilot.mp4", "pilot.mkv", "other"]


def test_stem_that_is_another_files_name(tmp_path: Path) -> None:
    videos = _touch(tmp_path, "x.mkv", "x.mp4", "x.mkv.mp4")
    assert [title.id for title in find_season(videos).titles] == ["x.mkv", "x.mp4", "x.mkv.mp4"]


_PATHS = st.lists(st.text("ab./", min_size=1, max_size=8), min_size=1, max_size=6, unique=True)


@given(_PATHS, st.booleans())
def test_names_differ_whatever_the_paths(paths: list[str], stems: bool) -> None:
    names = distinct_names([f"s3://bucket/{path}" for path in paths], stems=stems)
    assert len(set(names)) == len(paths)


@pytest.mark.parametrize("as_title", [False, True])
def test_name_that_is_no_utf8_is_refused(tmp_path: Path, as_title: bool) -> None:
    (good,) = _touch(tmp_path, "a.mp4")
    bad = os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.mp4")
    Path(bad).touch()
    if as_title:
        with pytest.raises(InputError, match=r"b\\udcff: this name is not valid UTF-8"):
            find_season([good], title="b\udcff")
        return
    season = find_season([good, bad])
    assert [title.id for title in season.titles] == ["a"]
    ((name, sentence),) = season.refused
    assert name.endswith("b\\udcff.mp4")
    assert "rename it" in sentence
    with pytest.raises(InputError, match="not valid UTF-8"):
        find_season([tmp_path])


def test_url_that_is_no_s3_url_is_refused() -> None:
    with pytest.raises(InputError, match=r"https://host/a\.mp4: of URLs only s3://BUCKET/KEY are read"):
        find_season(["https://host/a.mp4"])


def test_title_joins_all_videos_and_keeps_their_order(tmp_path: Path) -> None:
    videos = _touch(tmp_path, "b.mp4", "a.mp4")
    (title,) = find_season(videos, title="Series").titles
    assert title.videos == tuple(videos)
    assert title.names == ("b.mp4", "a.mp4")


def test_equal_file_names_within_a_title_get_their_folders(tmp_path: Path) -> None:
    (title,) = find_season(_touch(tmp_path, "one/e.mp4", "two/e.mp4"), title="Series").titles
    assert title.names == ("one/e.mp4", "two/e.mp4")


def test_folder_gives_its_videos_sorted_and_nothing_else(tmp_path: Path) -> None:
    _touch(tmp_path, "b.MP4", "a.mkv", "notes.txt", ".hidden.mp4", "season 1/c.mov", ".cache/d.mp4")
    assert [title.names[0] for title in find_season([tmp_path]).titles] == ["a.mkv", "b.MP4", "c.mov"]


def test_pattern_that_the_shell_did_not_expand(tmp_path: Path) -> None:
    _touch(tmp_path, "e1.mp4", "e2.mp4", "x.mp4")
    assert [title.id for title in find_season([str(tmp_path / "e*.mp4")]).titles] == ["e1", "e2"]


def test_pattern_leaves_out_folders_without_videos(tmp_path: Path) -> None:
    _touch(tmp_path, "s1/e1.mp4", "s2/e2.mp4", "samples/notes.txt")
    assert [title.id for title in find_season([str(tmp_path / "s*")]).titles] == ["e1", "e2"]
    with pytest.raises(InputError, match="only folders without a video match"):
        find_season([str(tmp_path / "sam*")])


def test_home_of_nobody_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"~nosuchuser/x\.mkv: .*write the whole path"):
        find_season(["~nosuchuser/x.mkv"])


def test_file_named_twice_is_one_title(tmp_path: Path) -> None:
    (video,) = _touch(tmp_path, "a.mp4")
    os.symlink(video, tmp_path / "link.mp4")
    assert len(find_season([video, tmp_path, tmp_path / "link.mp4"]).titles) == 1


def test_missing_file_is_refused_by_name_and_the_others_go_on(tmp_path: Path) -> None:
    season = find_season([*_touch(tmp_path, "a.mp4"), str(tmp_path / "gone.mp4")])
    assert [title.id for title in season.titles] == ["a"]
    ((given_path, sentence),) = season.refused
    assert given_path in sentence
    assert "no such file" in sentence


@pytest.mark.parametrize("title", [None, "Series"])
def test_nothing_usable_is_an_error(tmp_path: Path, title: str | None) -> None:
    with pytest.raises(InputError, match=r"gone\.mp4.*no such file"):
        find_season([tmp_path / "gone.mp4"], title)


def test_title_needs_all_of_its_videos(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.mp4"):
        find_season([*_touch(tmp_path, "a.mp4"), tmp_path / "gone.mp4"], title="Series")


def test_folder_without_videos_is_refused(tmp_path: Path) -> None:
    _touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match="holds no video"):
        find_season([tmp_path])
