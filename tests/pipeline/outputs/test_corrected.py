"""What is said of tracks, for matching the cast and for a title's clustering; how tables look is in tests/curation."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from support.correctable_season import MODELS, ODD, Seen, read_rows, write_correctable_season

from vcn_ray.config import make_options
from vcn_ray.corrections.correction import Correction, Kind, TrackAnchor, make_correction
from vcn_ray.corrections.correction_file import edit_corrections, to_plain
from vcn_ray.corrections.links import of_title
from vcn_ray.inputs.titles import slug
from vcn_ray.pipeline.layout import LINKS_KEY
from vcn_ray.pipeline.outputs.cast import SaidOfCast, stored_cast
from vcn_ray.pipeline.outputs.corrected import correct_titles, said_of_cast
from vcn_ray.pipeline.outputs.season_outputs import finished_titles, write_season
from vcn_ray.pipeline.split_tables import read_tracks
from vcn_ray.pipeline.title_links import read_title_links
from vcn_ray.schemas import SPLITS
from vcn_ray.storage.store import Store


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Characters of the first title: 0 of rows 0 and 2, 1 of 1 and 4, 2 of 3; of ODD: 0 of 6, 9, 1 of 7, 8, 2 of 11."""
    out = Store(tmp_path_factory.mktemp("seasons") / "season")
    write_correctable_season(out)
    return out


def _make(out: Store, kind: str, rows: list[int], others: tuple[int, ...] = (), **more: object) -> Correction:
    _, places = read_rows(out)
    return make_correction(Kind(kind), map(places.anchor, rows), map(places.anchor, others), by="ann", **more)  # type: ignore[arg-type]


def _of_cast(out: Store, *said: Correction) -> SaidOfCast:
    return said_of_cast(finished_titles(out), said)


FIRST = "s01e01"


def _says_nothing(said: SaidOfCast) -> None:
    assert (list(said.same), list(said.apart)) == ([], [])


def test_of_the_cast_it_says_which_characters_are_one_and_which_two(season: Store) -> None:
    _says_nothing(_of_cast(season))
    merged = _of_cast(season, _make(season, "merge", [0, 3], (9,)))
    assert merged.same == [[(FIRST, 0), (FIRST, 2), (ODD, 0)]]
    assert merged.apart == []
    apart = _of_cast(season, _make(season, "different", [0], (6, 9)))
    assert (apart.same, apart.apart) == ([], [((FIRST, 0), (ODD, 0))])
    names = _of_cast(season, _make(season, "name", [0, 6], name="Anna"), _make(season, "name", [1, 7], name="Berta"))
    assert names.same == [[(FIRST, 0), (ODD, 0)], [(FIRST, 1), (ODD, 1)]]
    assert names.apart == [((FIRST, 0), (FIRST, 1))]  # a pair for two people, however many characters they have
    # Who is said to be both of two people is neither's.
    both = _of_cast(season, _make(season, "name", [0, 3], name="Anna"), _make(season, "name", [2, 6], name="Berta"))
    assert both.same == [[(FIRST, 0), (FIRST, 2)], [(FIRST, 0), (ODD, 0)]]
    assert both.apart == [((FIRST, 0), (FIRST, 2)), ((FIRST, 0), (ODD, 0)), ((FIRST, 2), (ODD, 0))]
    _says_nothing(_of_cast(season, _make(season, "name", [0, 6], name="Anna", confidence=0.9)))


def test_a_stray_track_does_not_take_along_whom_it_was_found_with(season: Store) -> None:
    assert _of_cast(season, _make(season, "move", [8], (0, 2))).same == []
    assert _of_cast(season, _make(season, "split", [8], (0, 2))).apart == []
    # But where the character is made of such tracks, it is meant.
    assert _of_cast(season, _make(season, "move", [7, 8], (1, 4))).same == [[(FIRST, 1), (ODD, 1)]]
    assert _of_cast(season, _make(season, "split", [11], (0, 2))).apart == [((FIRST, 0), (ODD, 2))]
    # Whoever merges means the whole person.
    later = _of_cast(season, _make(season, "move", [8], (0,)), _make(season, "merge", [7], (1,)))
    assert later.same == [[(FIRST, 1), (ODD, 1)]]


def test_unknown_and_gone_tracks_say_nothing_of_characters(season: Store) -> None:
    gone = TrackAnchor("another video", (0, 9), ((0, 0.0, 0.0, 9.0, 9.0),))
    gone_too = replace(gone, frames=(20, 29))
    said = [_make(season, "merge", [5], (10,)), make_correction(Kind.MERGE, [gone], [gone_too], by="ann")]
    _says_nothing(_of_cast(season, *said))


def test_a_run_matches_the_cast_as_people_said(season: Store, tmp_path: Path) -> None:
    shutil.copytree(season.url, tmp_path / "season")
    out = Store(tmp_path / "season")
    before = stored_cast(out).member_of
    assert before[FIRST, 0] == before[ODD, 0]
    edit_corrections(out, lambda _: [_make(out, "different", [0, 2, 3], (6, 9)), _make(out, "not-a-face", [11])])
    assert write_season(out, [slug(FIRST), slug(ODD)], make_options({}), [], 1.0, MODELS) == []
    after = stored_cast(out).member_of
    assert after[FIRST, 0] != after[ODD, 0]
    assert out.read_table("tracks.parquet")["reason"].to_pylist()[-1] == "not a face, says ann"
    problem = _make(out, "merge", [0], (1,))
    edit_corrections(out, lambda _: [problem])
    (sentence,) = write_season(out, [slug(FIRST), slug(ODD)], make_options({}), [], 1.0, MODELS)
    assert "seen together" in sentence


def test_a_title_that_is_redone_has_its_corrections_again(season: Store, tmp_path: Path) -> None:
    shutil.copytree(season.url, tmp_path / "season")
    out = Store(tmp_path / "season")
    said = [_make(out, "not-a-face", [11])]
    titles, cast = finished_titles(out), stored_cast(out)
    assert correct_titles(titles, cast, said).written == [ODD]
    assert correct_titles(titles, cast, said).written == []
    titles[1].work.delete("corrected.json")  # as writing its results anew does
    assert correct_titles(titles, cast, said).written == [ODD]


class _Crops:
    def __init__(self, track_id: list[int]):
        self.track_id = np.array(track_id)


def test_a_titles_clustering_is_held_to_what_is_said_of_its_tracks(season: Store, tmp_path: Path) -> None:
    shutil.copytree(season.url, tmp_path / "season")
    out = Store(tmp_path / "season")
    work = out.child("titles", slug(ODD), "work")
    crops = _Crops([0, 1, 2, 3, 5])  # track 4 has none
    assert read_title_links(work, crops).say_nothing  # type: ignore[arg-type]
    said = [
        _make(out, "merge", [6], (9,)),
        _make(out, "split", [8], (10, 7)),
        _make(out, "nobody", [11, 0]),
        _make(out, "merge", [0], (7,)),
        _make(out, "name", [6, 7], name="Anna"),
    ]
    work.write_json(LINKS_KEY, to_plain(of_title(said, {f"print of {ODD}"})))
    links = read_title_links(work, crops)  # type: ignore[arg-type]
    assert links.together.tolist() == [0, -1, 1, 0, -1]
    assert links.apart.tolist() == [[1, 2]]  # though the first of those it was split from takes no part
    assert links.left_out.tolist() == [False] * 4 + [True]


def test_links_are_between_the_tracks_after_they_were_split(tmp_path: Path) -> None:
    out = Store(tmp_path / "season")
    write_correctable_season(out, {FIRST: [Seen(0, 0, 0), Seen(1, 1, 1)]})
    said = _make(out, "not-a-face", [0])
    work = out.child("titles", FIRST, "work")
    splits = pa.Table.from_pylist([{"track_id": 0, "first_frame": 10, "new_track_id": 2}], SPLITS)
    work.write_table("split/splits.parquet", splits)
    work.write_json(LINKS_KEY, to_plain(of_title([said], {f"print of {FIRST}"})))
    assert sorted(set(read_tracks(work).faces["track_id"].to_pylist())) == [0, 1, 2]
    assert read_title_links(work, _Crops([0, 1, 2])).left_out.tolist() == [True, False, True]  # type: ignore[arg-type]
