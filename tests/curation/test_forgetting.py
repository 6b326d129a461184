"""Forgetting somebody: nothing of theirs is left, the rest is as it was, and however it is stopped it can go on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from support.correctable_season import ODD, TITLES, Seen, read_rows, write_correctable_season
from support.tiny_title import adapt, make_title, tiny_options, tiny_work
from typer.testing import CliRunner

from vcn_ray import schemas
from vcn_ray.cli.commands import app
from vcn_ray.corrections.correction import Kind
from vcn_ray.corrections.correction_file import read_corrections
from vcn_ray.corrections.forgotten import forgotten_rows
from vcn_ray.corrections.links import plain_links
from vcn_ray.curation import forgetting
from vcn_ray.curation.applying import apply_to_season
from vcn_ray.curation.correcting import say
from vcn_ray.curation.forgetting import Forgotten, forget_person
from vcn_ray.curation.removal import begin_removal, finish_removal, remove_from_title
from vcn_ray.curation.trace_search import FACES, NAMES, NETWORKS, PICTURES, TRACKS
from vcn_ray.errors import InputError, OptionError
from vcn_ray.pipeline.digests import adaptation_digest, iterations_digest, stored_links
from vcn_ray.pipeline.layout import LINKS_KEY
from vcn_ray.pipeline.outputs.found import FinishedTitle
from vcn_ray.pipeline.outputs.season_outputs import finished_titles
from vcn_ray.pipeline.outputs.title_outputs import finish_title
from vcn_ray.pipeline.split_tables import SPLITS_KEY
from vcn_ray.pipeline.title_crops import choose_crops
from vcn_ray.pipeline.title_state import links_inputs
from vcn_ray.season.season_result import load_season
from vcn_ray.storage import folder
from vcn_ray.storage.store import Store

NAME = '=1+1 <b>Ünal</b> "Q" O\'Neil 日本'
#: Tracks of person 0, in a season whose Unknown track is somebody else's.
THEIRS = {"s01e01": {0, 2, 3}, ODD: {0, 3}}
SEASON = TITLES | {"s01e01": [*TITLES["s01e01"][:-1], Seen(4, 4, None)]}


def _season(out: Store) -> Store:
    """A season in which person 0, found as several characters, was made one and named."""
    write_correctable_season(out, SEASON)
    say(out, "merge", [("s01e01", 0), ("s01e01", 2)], [("s01e01", 3), (ODD, 0)], by="Kim")
    say(out, "name", [("s01e01", 0)], name=NAME, by="Kim")
    say(out, "name", [("s01e01", 1)], name="Bo", by="Kim")
    say(out, "move", [("s01e01", 3)], [("s01e01", 0)], by="Kim")
    out.write_bytes("logs/run.jsonl", f'{{"said": "{NAME}"}}\n{{"said": "Bo"}}\n'.encode())
    for title in finished_titles(out):
        # As a run leaves them: what it was held to, networks, cached views, shards.
        title.work.write_json(LINKS_KEY, plain_links(read_corrections(out), {f"print of {title.id}"}))
        for key in ("adapt/01/state.safetensors", "adapt/01.done.json", "views/00000.safetensors"):
            title.work.write_bytes(key, b"{}")
        for name in ("faces", "crops"):
            table = title.work.read_table(f"tracks/{name}.parquet")
            title.work.write_table(f"shards/v/00000000-00000100/{name}.parquet", table)
        title.work.mark_done("shards/v/00000000-00000100", "1")
    apply_to_season(out)
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "season"
    _season(Store(path))
    return path


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Store:
    return Store(shutil.copytree(made, tmp_path / "season"))


def _forget(out: Store, character: str | None = NAME) -> Forgotten:
    forgotten = forget_person(out, character)
    assert forgotten is not None
    return forgotten


def _row(forgotten: Forgotten, what: str) -> dict:
    return next(row for row in forgotten.table.to_pylist() if row["what"] == what)


def _tracks(out: Store, key: str = "tracks.parquet") -> set[tuple[str, int]]:
    table = out.read_table(key)
    return set(zip(table["title"].to_pylist(), table["track_id"].to_pylist(), strict=True))


def _their_pictures(out: Store) -> set[bytes]:
    found = set()
    for title in finished_titles(out):
        crops = title.results.read_table("crops.parquet")
        found |= {row["jpeg"] for row in crops.to_pylist() if row["track_id"] in THEIRS[title.id]}
    return found


def _content(out: Store) -> dict[str, bytes]:
    """All that shows somebody: neither who said what when, nor locks."""
    left_out = ("corrections.yaml", ".lock", ".corrections.yaml.lock", "work/forgetting.json")
    return {key: out.read_bytes(key) for key in out.keys("") if key not in left_out}


@pytest.fixture(scope="module")
def whole(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Forgotten]:
    """The season without them, to be read alone, and what was said of it."""
    out = Store(shutil.copytree(made, tmp_path_factory.mktemp("whole") / "season"))
    return out, _forget(out)


def test_nothing_of_theirs_is_left_and_all_else_is(made: Path, whole: tuple[Store, Forgotten]) -> None:
    pictures = _their_pictures(Store(made))
    others = _tracks(Store(made)) - {(title, track) for title, tracks in THEIRS.items() for track in tracks}
    out, forgotten = whole
    assert forgotten.tracks == 5
    for what in (TRACKS, FACES, PICTURES, NETWORKS, NAMES):
        row = _row(forgotten, what)
        assert row["removed"] > 0
        assert row["left"] == 0, row
    assert _tracks(out) == _tracks(out, "faces.parquet") == others
    for key in out.keys(""):
        content = out.read_bytes(key)
        assert b"Neil" not in content
        assert b"\xc3\x9cnal" not in content
        if key.endswith("crops.parquet"):
            assert not pictures & set(out.read_table(key)["jpeg"].to_pylist()), key
    assert not [key for key in out.keys("") if key.endswith(".safetensors")]
    assert out.read_bytes("logs/run.jsonl") == b'{"said": "Bo"}\n'
    assert set(out.read_table("cast.parquet")["character"].to_pylist()) == {"Bo", None}


def test_a_track_that_looks_like_them_is_named_and_is_no_success(tmp_path: Path) -> None:
    out = Store(tmp_path / "season")
    write_correctable_season(out)
    done = CliRunner().invoke(app, ["forget", out.url, "--character", "Cast 0", "--yes"])
    assert done.exit_code == 1
    assert "s01e01, track 5 at 3.2 s (Unknown)" in done.output


def test_of_corrections_where_they_were_is_kept_and_what_was_said_of_others(whole: tuple[Store, Forgotten]) -> None:
    out, _ = whole
    name, forget = read_corrections(out)
    assert (name.kind, name.name) == (Kind.NAME, "Bo")
    assert forget.kind is Kind.FORGET
    # As long as the shot is, up to whose ends a later run may see the track.
    assert {anchor.frames for anchor in forget.tracks} == {(0, 19), (20, 39), (40, 59)}


def test_results_made_under_corrections_that_spoke_of_them_stay_valid(
    made: Path, whole: tuple[Store, Forgotten]
) -> None:
    def inputs(out: Store) -> list[list[str]]:
        said = read_corrections(out)
        return [links_inputs(t.work, plain_links(said, {f"print of {t.id}"})) for t in finished_titles(out)]

    out, _ = whole
    assert inputs(Store(made))[0] != []
    assert inputs(out) == inputs(Store(made)) == [stored_links(title.work) for title in finished_titles(out)]
    assert not plain_links(read_corrections(out), {"print of s01e01"})


def test_what_a_later_command_does_works_and_changes_nothing(whole: tuple[Store, Forgotten]) -> None:
    out, _ = whole
    before = _content(out)
    assert apply_to_season(out).problems == []
    # Where nothing was to be done the season's tables are written again, the same.
    assert _content(out) == before
    season = load_season(out.url)
    assert len(season.tracks) == 7
    assert season.iteration_clusters.num_rows == 7
    assert {title["counts"]["tracks"] for title in out.read_json("season.json")["titles"]} == {3, 4}


@pytest.mark.parametrize("writes", [4, 30, None])
def test_stopped_and_repeated_by_number_it_never_goes_on_with_whoever_has_that_number_then(
    out: Store, whole: tuple[Store, Forgotten], writes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if writes is None:  # when all was removed, in the search

        def stops(*given: Any) -> None:
            finish_removal(*given)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(forgetting, "finish_removal", stops)
            with pytest.raises(KeyboardInterrupt):
                forget_person(out, "Cast 0")
    else:
        _stop_after(writes, out, "Cast 0", monkeypatch)
    forgotten = _forget(out, "Cast 0")
    assert "was begun before" in forgotten.notes[0]
    assert _content(out) == _content(whole[0])
    if writes is None:
        assert _forget(out, "Cast 0").tracks > 0  # said once more, it is meant


def _stop_after(writes: int, out: Store, character: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget somebody, and be killed after so many writes."""
    left, write = writes, folder.Folder.write_bytes

    def stops(self: folder.Folder, key: str, content: bytes) -> None:
        nonlocal left
        if self.url.startswith(out.url) and ".lock" not in key:
            left -= 1
        if left < 0:
            raise KeyboardInterrupt
        write(self, key, content)

    with monkeypatch.context() as patched:
        patched.setattr(folder.Folder, "write_bytes", stops)
        with pytest.raises(KeyboardInterrupt):
            forget_person(out, character)


@pytest.mark.parametrize(("writes", "then"), [(4, "forget"), (5, "apply"), (22, "forget"), (45, "apply")])
def test_stopped_anywhere_it_is_finished_by_the_next_command(
    out: Store, whole: tuple[Store, Forgotten], writes: int, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stop_after(writes, out, NAME, monkeypatch)
    if then == "apply":
        apply_to_season(out)
        if forgotten_rows(read_rows(out)[1], read_corrections(out)):
            forget_person(out)  # it was stopped after it was said and before anything was removed
    else:
        forget_person(out, NAME)
    assert _content(out) == _content(whole[0])
    assert [c.kind for c in read_corrections(out)] == [Kind.NAME, Kind.FORGET]


def test_whom_a_colleague_had_forgotten_is_removed_without_a_name(out: Store, whole: tuple[Store, Forgotten]) -> None:
    elsewhere, _ = whole
    out.write_bytes("corrections.yaml", elsewhere.read_bytes("corrections.yaml"))
    assert "still there" in apply_to_season(out).problems[0]
    assert _forget(out, None).tracks == 5
    assert _content(out)["tracks.parquet"] == _content(elsewhere)["tracks.parquet"]
    assert apply_to_season(out).problems == []


def test_a_track_in_which_two_people_were_found_is_forgotten_up_to_the_cut(tmp_path: Path) -> None:
    out = Store(tmp_path / "season")
    write_correctable_season(out, {"s01e01": [Seen(0, 0, 0), Seen(0, 1, 0), Seen(1, 2, 1)]})
    (title,) = finished_titles(out)
    cut = {"track_id": [0], "first_frame": [10], "new_track_id": [3]}
    title.work.write_table(SPLITS_KEY, pa.table(cut, schema=schemas.SPLITS))
    finish_title(title.work, title.id, title.results, {"s01e01.mp4": 0.04})
    _forget(out, "Cast 0")
    anchors = {anchor.frames for one in read_corrections(out) for anchor in one.tracks}
    assert anchors == {(0, 9), (20, 39)}
    faces = title.results.read_table("faces.parquet")
    left = faces.filter(pc.equal(faces["track_id"], 3))["frame"].to_pylist()
    assert left == list(range(10, 20))
    assert title.work.read_table("tracks/faces.parquet")["frame"].to_pylist()[:10] == left


def test_a_title_in_which_nobody_else_is_seen_stays_without_anybody(tmp_path: Path) -> None:
    out = Store(tmp_path / "season")
    write_correctable_season(out, {"alone": [Seen(0, 0, 0), Seen(0, 1, 0)]})
    assert load_season(out.url).forget(0).left == 0
    assert len(load_season(out.url).cast) == 0
    assert apply_to_season(out).problems == []


def test_in_an_object_store_it_is_the_same_and_older_versions_are_spoken_of(s3_bucket: str) -> None:
    out = Store(f"{s3_bucket}/season")
    write_correctable_season(out, {"s01e01": [Seen(0, 0, 0), Seen(1, 1, 1)]})  # small: each look takes a while
    forgotten = _forget(out, "Cast 0")
    assert forgotten.left == 0
    assert any("versioning" in note for note in forgotten.notes)
    assert _tracks(out) == _tracks(out, "faces.parquet") == {("s01e01", 1)}


def test_what_cannot_be_looked_into_is_named_and_what_bears_the_name_is_left(out: Store) -> None:
    out.write_bytes("mine/film.mov", b"\0\1\2")
    killed = Path(out.where("titles/.tmp-1"))
    killed.write_bytes(b"a picture")
    os.utime(killed, (0, 0))
    out.write_bytes("mine/cut list.txt", f"for {NAME.upper()}".encode())
    forgotten = _forget(out)
    assert not killed.exists()
    assert any("mine/film.mov" in note for note in forgotten.notes)
    assert _row(forgotten, NAMES)["left"] == 1
    assert "mine/cut list.txt (1)" in _row(forgotten, NAMES)["why"]


def test_their_pictures_in_a_gallery_go_and_nobody_elses(out: Store, tmp_path: Path) -> None:
    gallery = Store(tmp_path / "gallery")
    for key in (f"{NAME.replace('/', '')}.jpg", "Bo.jpg", "Bo 2/a.png"):
        gallery.write_bytes(key, b"x")
    say(out, "name", [("s01e01", 1)], name="Bo 2", by="Kim")
    forgotten = forget_person(out, "Bo 2", gallery=gallery)
    assert forgotten is not None
    assert "Bo 2/a.png" not in gallery.keys("")
    assert len(gallery.keys("")) == 2
    with pytest.raises(InputError, match="there is nothing"):
        forget_person(out, NAME, gallery=Store(tmp_path / "none"))


@pytest.mark.parametrize(
    ("character", "says"), [("Cast 77", "no track is of"), ("Unknown", "many people"), (None, "say whom")]
)
def test_who_is_nobody_is_refused(out: Store, character: str | None, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        forget_person(out, character)


def test_the_name_of_one_that_is_the_number_of_another_is_refused(out: Store) -> None:
    say(out, "name", [("s01e01", 1)], name="0", by="Kim")
    with pytest.raises(OptionError, match="number of another"):
        forget_person(out, "0")


def test_the_command_asks_before_it_removes_anything(out: Store) -> None:
    asked = CliRunner().invoke(app, ["forget", out.url, "--character", NAME])
    assert asked.exit_code == 2
    assert "--yes" in asked.output
    assert forget_person(out, NAME, confirm=lambda question: "5 tracks in 2 titles" not in question) is None
    assert len(_tracks(out)) == 12
    done = CliRunner().invoke(app, ["forget", out.url, "--character", NAME, "--yes"])
    assert done.exit_code == 0, done.output
    assert f"{NAME}: 5 tracks forgotten" in done.output


def test_a_title_that_was_adapted_adapts_again_without_them(tmp_path: Path) -> None:
    out = Store(tmp_path)
    results = out.child("titles", "t")
    work = results.child("work")
    make_title(work)
    settings = {"max_iterations": 1}
    adapt(work, settings)
    adapted = adaptation_digest(iterations_digest(tiny_work(work, settings), "cpu", 1), tiny_options(settings))
    finish_title(work, "t", results, {"a.mp4": 0.04})
    begin_removal(out, {"t": [0, 3, 6, 9]})
    remove_from_title(FinishedTitle("t", results))
    assert not [key for key in work.keys("") if key.endswith(".safetensors")]
    left = [1, 2, 4, 5, 7, 8, 10, 11]
    assert np.unique(work.read_table("adapt/00/embeddings.parquet")["track_id"].to_numpy()).tolist() == left
    assert choose_crops(tiny_work(work)).track_id.tolist() == left
    assert work.is_done("adapt", adapted)
    adapt(work, {"max_iterations": 2})
    assert work.read_json("adapt/00/clustering.json")["track_id"] == left
    finish_title(work, "t", results, {"a.mp4": 0.04})
    assert results.read_table("tracks.parquet")["track_id"].to_pylist() == left
