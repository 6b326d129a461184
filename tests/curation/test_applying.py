"""Corrections brought into a finished season: what is written, what is given back, what half-way leaves, who waits."""

from __future__ import annotations

import csv
import html
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.correctable_season import ODD, read_rows, write_correctable_season

from vcn_ray.corrections.correction import Correction, Kind, make_correction
from vcn_ray.corrections.correction_file import CORRECTIONS_KEY, edit_corrections
from vcn_ray.curation.applying import apply_to_season
from vcn_ray.errors import InputError, OutputError
from vcn_ray.inputs.titles import slug
from vcn_ray.pipeline.outputs import corrected, season_outputs
from vcn_ray.storage.lock import only_run_in
from vcn_ray.storage.store import Store

NAME = 'Zoë <b> "é" 日本'
FORMULA = "=1+1"
TABLES = ("faces", "tracks", "clusters", "cast")

#: Rows of the season (tracks of `correctable_season.TITLES`, in order): who is seen, and in which title.
PERSON_0, PERSON_1, ALSO_0, UNKNOWN_0 = 0, 1, 3, 5  # of the first title; ALSO_0 was found as another character
ODD_0, ODD_1, ODD_2, ODD_3 = 6, 7, 8, 11  # of the second; ODD_2 was found as ODD_1's


@pytest.fixture(scope="module")
def as_found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seasons") / "season"
    write_correctable_season(Store(folder))
    return folder


@pytest.fixture
def out(as_found: Path, tmp_path: Path) -> Store:
    shutil.copytree(as_found, tmp_path / "season")
    return Store(tmp_path / "season")


Say = Callable[..., Correction]


@pytest.fixture
def say(out: Store) -> Say:
    """Add a correction of rows to the file."""
    return lambda *arguments, **more: _say(out, *arguments, **more)


def _say(out: Store, kind: str, rows: list[int], others: tuple[int, ...] = (), by: str = "ann", **more) -> Correction:
    _, places = read_rows(out)
    said = make_correction(Kind(kind), map(places.anchor, rows), map(places.anchor, others), by=by, **more)
    edit_corrections(out, lambda present: [*present, said])
    return said


def _shown(out: Store) -> dict[str, bytes]:
    """All tables, pages and records, with the work's own that say what was found."""
    hidden = (CORRECTIONS_KEY, ".lock", f".{CORRECTIONS_KEY}.lock")
    return {key: out.read_bytes(key) for key in out.keys("") if key not in hidden}


def _column(out: Store, table: str, column: str) -> list:
    return out.read_table(f"{table}.parquet")[column].to_pylist()


def test_without_corrections_nothing_changes(out: Store) -> None:
    before = _shown(out)
    applied = apply_to_season(out)
    assert (applied.corrections, applied.written, applied.problems) == (0, [], [])
    assert _shown(out) == before


def test_only_titles_that_change_are_written(out: Store, say: Say) -> None:
    before = _shown(out)
    say("not-a-face", [ODD_3])
    assert apply_to_season(out).written == [ODD]
    after = _shown(out)
    assert {key for key in after if after[key] != before.get(key)} >= {"tracks.parquet", "cast.csv", "index.html"}
    assert {key: after[key] for key in after if key.startswith("titles/s01e01/")} == {
        key: before[key] for key in before if key.startswith("titles/s01e01/")
    }
    assert apply_to_season(out).written == []
    assert _shown(out) == after


def test_a_name_reaches_all_tables_pages_and_exports(out: Store, say: Say) -> None:
    say("name", [PERSON_0], name=NAME)
    say("name", [PERSON_1], name=FORMULA)
    applied = apply_to_season(out)
    assert applied.corrections == 2
    assert applied.written == ["s01e01", ODD]
    for table in TABLES:
        assert {NAME, FORMULA} <= set(_column(out, table, "character"))
        rows = list(csv.DictReader(io.StringIO(out.read_bytes(f"{table}.csv").decode())))
        assert {NAME, "'" + FORMULA} <= {row["character"] for row in rows}
    for title in ("s01e01", ODD):
        store = out.child("titles", slug(title))
        for table in TABLES[:3]:
            assert {NAME, FORMULA} <= set(_column(store, table, "character"))
        page = store.read_bytes("report.html").decode()
        assert "Zoë <b>" not in page
        assert html.escape(NAME, quote=False).split('"')[0] in page
    page = out.read_bytes("index.html").decode()
    assert "Zoë <b>" not in page
    assert "Zoë &lt;b&gt;" in page
    assert set(_column(out, "clusters", "name_confidence")) == {None}


def test_a_gallerys_name_has_its_confidence(out: Store, say: Say) -> None:
    say("name", [PERSON_0], name="Anna", confidence=0.75, by="gallery faces")
    apply_to_season(out)
    rows = out.read_table("cast.parquet").to_pylist()
    assert [(row["character"], row["name_confidence"]) for row in rows if row["character"]] == [("Anna", 0.75)]
    assert 0.75 in _column(out, "clusters", "name_confidence")


def _of_characters(out: Store, *, of: list[int]) -> list[tuple[float, float]]:
    """one_person and is_person of the characters that these rows' tracks are of."""
    found, _ = read_rows(out)
    keys = {(found.titles[found.title[row]], int(found.track_id[row])) for row in of}
    tracks, clusters = (out.read_table(f"{table}.parquet").to_pylist() for table in ("tracks", "clusters"))
    own = {(t["title"], t["cluster_id"]) for t in tracks if (t["title"], t["track_id"]) in keys}
    return [(c["one_person"], c["is_person"]) for c in clusters if (c["title"], c["cluster_id"]) in own]


def test_what_is_known_of_a_character_is_raised_to_what_people_said(out: Store, say: Say) -> None:
    assert set(_of_characters(out, of=[PERSON_0, PERSON_1, ODD_0])) == {(0.75, 0.5)}
    say("name", [PERSON_1], name="Anna")  # somebody, whoever else may be among the tracks
    say("name", [PERSON_0], name="Bo", confidence=0.9, by="gallery")  # a gallery is nobody's word
    say("split", [ODD_2], (ODD_1,))  # alone: every track of it is where a person put it
    apply_to_season(out)
    assert _of_characters(out, of=[PERSON_1]) == [(0.75, 1.0)]
    assert _of_characters(out, of=[PERSON_0]) == [(0.75, 0.5)]
    assert _of_characters(out, of=[ODD_2]) == [(1.0, 1.0)]
    say("move", [UNKNOWN_0], (PERSON_0,))
    apply_to_season(out)
    assert _of_characters(out, of=[PERSON_0]) == [(0.75, 1.0)]


def test_a_season_of_an_earlier_version_is_corrected_without_what_it_did_not_know(out: Store, say: Say) -> None:
    for title in ("s01e01", ODD):
        work = out.child("titles", slug(title), "work")
        table = work.read_table("found.parquet").drop_columns(["one_person", "is_person"])
        work.write_table("found.parquet", table)
        results = out.child("titles", slug(title))
        clusters = results.read_table("clusters.parquet").drop_columns(["one_person", "is_person"])
        results.write_table("clusters.parquet", clusters)
    say("name", [PERSON_1], name="Anna")
    apply_to_season(out)
    assert _of_characters(out, of=[PERSON_1]) == [(None, 1.0)]


def test_who_said_it_and_why_stands_beside_the_track(out: Store, say: Say) -> None:
    say("move", [ODD_2], (UNKNOWN_0,), by="bob <i>")
    say("nobody", [ODD_3])
    apply_to_season(out)
    rows = {(row["title"], row["track_id"]): row for row in out.read_table("tracks.parquet").to_pylist()}
    moved, nobody, other = rows[ODD, 2], rows[ODD, 5], rows["s01e01", 0]
    assert (moved["status"], moved["corrected_by"], moved["confidence"], moved["reason"]) == (
        "clustered",
        "bob <i>",
        1.0,
        None,
    )
    assert (nobody["status"], nobody["reason"], nobody["cluster_id"], nobody["cast_id"]) == (
        "unknown",
        "nobody in particular, says ann",
        None,
        None,
    )
    assert (other["corrected_by"], round(other["confidence"], 3)) == (None, 0.9)
    assert rows["s01e01", 5]["reason"] is None  # Unknown as found; now the one that the other was moved to


def test_figures_of_all_tables_and_pages_agree(out: Store, say: Say) -> None:
    say("merge", [PERSON_0], (ALSO_0,))
    say("move", [UNKNOWN_0], (PERSON_0,))
    say("split", [ODD_2], (ODD_1,))
    say("not-a-face", [ODD_3])
    assert apply_to_season(out).problems == []
    tracks, faces = out.read_table("tracks.parquet"), out.read_table("faces.parquet")
    clusters, cast = out.read_table("clusters.parquet").to_pylist(), out.read_table("cast.parquet").to_pylist()
    for key, rows in (("cluster_id", clusters), ("cast_id", cast)):
        for row in rows:
            keys = [key, *(["title"] if key == "cluster_id" else [])]
            own = [t for t in tracks.to_pylist() if all(t[k] == row[k] for k in keys)]
            own_faces = [f for f in faces.to_pylist() if all(f[k] == row[k] for k in keys)]
            assert (row["tracks"], row["faces"]) == (len(own), len(own_faces))
            assert row["screen_time_s"] == pytest.approx(len(own_faces) / 25)
    assert [row["cast_id"] for row in cast] == list(range(3))
    assert cast[0]["tracks"] == 4 + 2  # all of person 0, the one that was Unknown too
    unknown = sum(status == "unknown" for status in tracks["status"].to_pylist())
    page = out.read_bytes("index.html").decode().replace("\N{NO-BREAK SPACE}", " ")
    entries = [out.child("titles", slug(title), "work").read_json("season_entry.json") for title in ("s01e01", ODD)]
    assert [(e["characters"], e["tracks"], e["unknown"]) for e in entries] == [(2, 6, 0), (3, 6, 2)]
    assert unknown == 2
    assert "2 characters, 6 tracks<br>" in page
    assert "3 characters, 6 tracks<br>" in page
    assert page.count('<tr id="cast-') == len(cast)


def test_numbers_of_an_earlier_season_are_kept_and_new_people_come_after_them(out: Store, say: Say) -> None:
    say("number", [PERSON_1], number=7, confidence=0.9, by="gallery")
    say("number", [ODD_3], number=2)
    apply_to_season(out)
    title, number = _column(out, "cast_characters", "title"), _column(out, "cast_characters", "cast_id")
    cluster = _column(out, "cast_characters", "cluster_id")
    of = dict(zip(zip(title, cluster, strict=True), number, strict=True))
    tracks = {(r["title"], r["track_id"]): r for r in out.read_table("tracks.parquet").to_pylist()}
    assert tracks["s01e01", 1]["cast_id"] == tracks[ODD, 1]["cast_id"] == 7
    assert tracks[ODD, 5]["cast_id"] == 2
    others = {value for value in of.values() if value not in (2, 7)}
    assert others == set(range(8, 8 + len(others)))
    page = out.read_bytes("index.html").decode()
    for value in set(of.values()):
        assert f'<tr id="cast-{value}"' in page
        assert f'href="#cast-{value}"' in page


def test_taking_all_back_gives_what_was_found_byte_for_byte(out: Store, say: Say) -> None:
    before = _shown(out)
    say("name", [PERSON_0], name=NAME)
    say("merge", [PERSON_0], (ALSO_0,))
    say("split", [ODD_2], (ODD_1,))
    say("not-a-face", [ODD_3])
    say("move", [UNKNOWN_0], (PERSON_1,))
    say("number", [ODD_0], number=5)
    apply_to_season(out)
    assert _shown(out) != before
    edit_corrections(out, lambda _: [])
    assert sorted(apply_to_season(out).written) == sorted(["s01e01", ODD])
    assert _shown(out) == before


def test_a_file_that_was_removed_by_hand_is_no_corrections(out: Store, say: Say) -> None:
    before = _shown(out)
    say("name", [PERSON_0], name=NAME)
    apply_to_season(out)
    out.delete(CORRECTIONS_KEY)
    apply_to_season(out)
    assert _shown(out) == before


class _Killed(BaseException):
    pass


def _killed(*_: object, **__: object) -> None:
    raise _Killed


def _apply_and_be_killed(out: Store, monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, name, _killed)
        with pytest.raises(_Killed):
            apply_to_season(out)
    assert out.read_json("season.json")["corrections"] == ""  # which no run takes for what is there


@pytest.mark.parametrize(
    ("module", "name"),
    [(corrected, "show_title"), (season_outputs, "write_season_tables")],
)
def test_killed_half_way_it_is_whole_when_it_is_done_again_or_taken_back(
    module: object, name: str, out: Store, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _shown(out)
    said = [say("name", [PERSON_0], name=NAME), say("merge", [PERSON_0], (ALSO_0,))]
    apply_to_season(out)
    whole = _shown(out)

    edit_corrections(out, lambda _: [])
    _apply_and_be_killed(out, monkeypatch, module, name)
    edit_corrections(out, lambda _: said)
    apply_to_season(out)
    assert _shown(out) == whole

    edit_corrections(out, lambda _: said[1:])
    _apply_and_be_killed(out, monkeypatch, module, name)
    out.delete(CORRECTIONS_KEY)
    apply_to_season(out)
    assert _shown(out) == before


def test_in_a_bucket_it_is_as_in_a_folder(out: Store, say: Say, s3_bucket: str) -> None:
    bucket = Store(f"{s3_bucket}/season")
    for key in out.keys(""):  # as found
        bucket.write_bytes(key, out.read_bytes(key))
    say("name", [PERSON_0], name=NAME)
    say("split", [ODD_2], (ODD_1,))
    bucket.write_bytes(CORRECTIONS_KEY, out.read_bytes(CORRECTIONS_KEY))
    assert apply_to_season(bucket).written == apply_to_season(out).written
    assert _shown(bucket) == _shown(out)


def test_what_does_not_fit_is_named_and_the_rest_is_done(out: Store, say: Say) -> None:
    say("merge", [PERSON_0], (PERSON_1,))
    say("name", [ODD_3], name=NAME)
    (problem,) = apply_to_season(out).problems
    assert "seen together" in problem
    assert "by ann" in problem
    assert NAME in _column(out, "cast", "character")


def test_a_folder_without_a_finished_run_is_refused(out: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished run is there"):
        apply_to_season(Store(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()
    out.delete("season.json")
    with pytest.raises(InputError, match=r"season\.json is missing"):
        apply_to_season(out)


@pytest.mark.parametrize("gone", ["work/cast_found.parquet", "titles/s01e01/work/found.parquet"])
def test_results_of_an_earlier_version_are_to_be_run_once_more(gone: str, out: Store, say: Say) -> None:
    say("name", [PERSON_0], name=NAME)
    out.delete(gone)
    with pytest.raises(InputError, match="run the same `vcn-ray run` command again"):
        apply_to_season(out)


def test_working_data_that_was_deleted_is_told_with_the_remedy(out: Store) -> None:
    out.child("titles", "s01e01").delete("work")
    with pytest.raises(InputError, match=r"s01e01/work: the working data of this title is gone.*run the same"):
        apply_to_season(out)


def test_a_season_that_a_later_run_has_begun_to_change_is_left_alone(out: Store, say: Say) -> None:
    say("name", [PERSON_0], name=NAME)
    work = out.child("titles", slug(ODD), "work")
    for change in (lambda: work.mark_done("results", "2"), lambda: work.begin("results")):
        change()
        before = _shown(out)
        with pytest.raises(InputError, match=r"a run was stopped after it had begun to change Überraschung"):
            apply_to_season(out)
        assert _shown(out) == before


def test_while_a_run_writes_there_it_is_refused(out: Store, say: Say) -> None:
    say("name", [PERSON_0], name=NAME)
    before = _shown(out)
    with only_run_in(out), pytest.raises(OutputError, match="is writing there"):
        apply_to_season(out)
    assert _shown(out) == before


def test_a_file_that_is_wrong_changes_nothing(out: Store) -> None:
    out.write_bytes(CORRECTIONS_KEY, b"format: 1\ncorrections: [Anna]\n")
    before = _shown(out)
    with pytest.raises(InputError, match="entry 1"):
        apply_to_season(out)
    assert _shown(out) == before


def test_tables_can_be_read_while_they_are_written(out: Store, say: Say) -> None:
    """Each is put whole, so that whoever reads has the old one or the new."""
    say("name", [PERSON_0], name=NAME)
    with open(out.where("cast.parquet"), "rb") as old:
        apply_to_season(out)
        assert NAME not in pq.read_table(io.BytesIO(old.read()))["character"].to_pylist()
