"""A season file gives titles, videos and options; what is wrong in it is named by its key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.config import make_options
from vcn_ray.errors import InputError, OptionError, VcnError
from vcn_ray.inputs.resolve import find_season
from vcn_ray.inputs.titles import Season, Title
from vcn_ray.storage.store import Store


def _write(folder: Path, text: str, *videos: str) -> Path:
    for video in videos:
        (folder / video).parent.mkdir(parents=True, exist_ok=True)
        (folder / video).write_bytes(b"x")
    (folder / "season.yaml").write_text(text)
    return folder / "season.yaml"


def test_titles_videos_and_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
    options: {seed: 3}
    titles:
      - video: e1.mkv
      - title: Pilot
        videos: [pilot/a.mkv, pilot/b.mkv]
        options: {min_face_px: 24}
    """
    path = _write(tmp_path, text, "e1.mkv", "pilot/a.mkv", "pilot/b.mkv")
    monkeypatch.chdir("/")  # paths count from the file
    season = find_season([path])
    assert [(title.id, title.names) for title in season.titles] == [("e1", ("e1.mkv",)), ("Pilot", ("a.mkv", "b.mkv"))]
    options, own = season.options()
    assert (options.seed, options.tracks.min_face_px) == (3, 12)
    assert list(own) == ["Pilot"]
    assert (own["Pilot"].seed, own["Pilot"].tracks.min_face_px) == (3, 24)


def test_season_in_a_bucket(s3_bucket: str) -> None:
    store = Store(s3_bucket)
    store.write_bytes("shows/one/season.yaml", b"titles: [{video: e1.mkv}, {title: More, video: more}]")
    for key in ("e1.mkv", "more/e2.mkv", "more/e3.mkv", "more/notes.txt"):
        store.write_bytes(f"shows/one/{key}", b"x")
    season = find_season([f"{s3_bucket}/shows/one/season.yaml"])
    assert [(title.id, len(title.videos)) for title in season.titles] == [("e1", 1), ("More", 2)]
    assert season.titles[0].videos == (f"{s3_bucket}/shows/one/e1.mkv",)


def test_bucket_without_a_season_file(s3_bucket: str) -> None:
    store = Store(s3_bucket)
    for key in ("e1.mkv", "sub/e2.MP4", ".hidden.mp4", "readme.txt"):
        store.write_bytes(key, b"x")
    assert [title.id for title in find_season([s3_bucket]).titles] == ["e1", "e2"]
    assert [title.id for title in find_season([f"{s3_bucket}/readme.txt"]).titles] == ["readme"]


def test_season_adapted_as_one_title(tmp_path: Path) -> None:
    path = _write(tmp_path, "name: Show\nadapt: season\ntitles: [{video: a.mkv}, {video: b.mkv}]", "a.mkv", "b.mkv")
    (title,) = find_season([path]).titles
    assert (title.id, title.names) == ("Show", ("a.mkv", "b.mkv"))


def test_season_adapted_as_one_title_needs_all_of_its_videos(tmp_path: Path) -> None:
    path = _write(tmp_path, "adapt: season\ntitles: [{video: a.mkv}, {video: gone.mkv}]", "a.mkv")
    with pytest.raises(InputError, match=r"gone\.mkv: no such file"):
        find_season([path])


def test_one_title_of_several_seasons_whose_episodes_have_equal_names(tmp_path: Path) -> None:
    path = _write(tmp_path, "adapt: season\ntitles: [{video: one}, {video: two}]", "one/e1.mkv", "two/e1.mkv")
    (title,) = find_season([path]).titles
    assert (title.id, title.names) == ("season", ("one/e1.mkv", "two/e1.mkv"))


def test_season_file_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path, "titles: [{video: a.mkv}, {title: B, video: ~/b.mkv}]", "a.mkv", "b.mkv")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [title.videos for title in find_season(["~/season.yaml"]).titles] == [
        (str(tmp_path / "a.mkv"),),
        (str(tmp_path / "b.mkv"),),
    ]
    with pytest.raises(InputError, match=r"~nosuchuser/season\.yaml: .*write the whole path"):
        find_season(["~nosuchuser/season.yaml"])


def test_title_without_its_video_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    path = _write(tmp_path, "titles: [{video: a.mkv}, {title: Two, video: gone.mkv}]", "a.mkv")
    season = find_season([path])
    assert [title.id for title in season.titles] == ["a"]
    ((name, sentence),) = season.refused
    assert name == "Two"
    assert "gone.mkv" in sentence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("titles: [{vidoe: a.mkv}]", r"titles\[0\]\.vidoe: there is no such key; did you mean 'video'"),
        ("title: [{video: a.mkv}]", "did you mean 'titles'|titles: field required"),
        ("titles: []", "titles is empty"),
        ("titles: [{title: A}]", r"titles\[0\] has no video"),
        ("titles: [{video: a.mkv}, {video: a.mkv, title: B}]", r"a\.mkv is in two titles"),
        ("titles: [{video: a.mkv}, {title: a, video: b.mkv}]", "the title 'a' is there twice"),
        ("titles: {video: a.mkv}", "titles: input should be a valid list"),
        ("options: {}\ntitles:\n  - video: a.mkv\n    vidoes: [b.mkv]", r"line 4, titles\[0\]\.vidoes: "),
        ("titles:\n  - video: a.mkv\n    video: b.mkv", "line 3: the key 'video' is there twice"),
        ("titles: [{video: a.mkv, title: 101}]", r"titles\[0\]\.title: this has to be text, not 101; put it in quotes"),
        ("titles: [{video: a.mkv, title: ' '}]", r"titles\[0\]\.title is empty"),
        ("titles: [{videos: [a.mkv, b.mkv]}]", r"titles\[0\] has 2 videos but no name"),
        ("titles: [{video: link.mkv}, {video: a.mkv}]", "a.mkv is in two titles, 'link' and 'a'"),
        ("adapt: season\ntitles: [{video: a.mkv}, {video: a.mkv}]", "a.mkv is in two titles"),
        ("titles: [", "not valid YAML"),
        ("just text", "this is no season file"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
        (
            "titles: [{video: a.mkv, options: {min_face: 3}}]",
            r"titles\[0\] \(a\): options: .*did you mean 'min_face_px'",
        ),
        ("options: {seed: x}\ntitles: [{video: a.mkv}]", "options: option 'seed'"),
        ("titles: [{video: a.mkv, options: {num_cpus: 3}}]", "'num_cpus' is of the run as a whole"),
        ("adapt: season\ntitles: [{video: a.mkv, options: {seed: 3}}]", "all are one title"),
        ("adapt: never\ntitles: [{video: a.mkv}]", "adapt: input should be 'title' or 'season'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = _write(tmp_path, text, "a.mkv", "b.mkv")
    (tmp_path / "link.mkv").symlink_to(tmp_path / "a.mkv")
    with pytest.raises(VcnError, match=says) as error:
        find_season([path])
    assert "season.yaml" in str(error.value)
    assert isinstance(error.value, InputError | OptionError)


def test_season_file_stands_alone(tmp_path: Path) -> None:
    path = _write(tmp_path, "titles: [{video: a.mkv}]", "a.mkv")
    for inputs, title in (([path, tmp_path / "a.mkv"], None), ([path], "Name")):
        with pytest.raises(InputError, match="stands alone"):
            find_season(inputs, title)


_SEEDS = st.one_of(st.none(), st.integers(0, 9))


@given(_SEEDS, _SEEDS, _SEEDS, _SEEDS)
def test_what_is_said_later_counts(config: int | None, season: int | None, title: int | None, line: int | None) -> None:
    def setting(value: int | None) -> dict[str, int]:
        return {} if value is None else {"seed": value}

    found = Season((Title("t", ("/v",), ("v",), setting(title)),), (), setting(season))
    options, own = found.options(setting(config), setting(line))
    said = [make_options().seed, config, season, title, line]
    assert own.get("t", options).seed == [value for value in said if value is not None][-1]
