"""What the whole season shows of a track comes into tables, cast and page, and goes again with the season."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.correctable_season import FPS, MODELS, ODD, Seen, read_rows, write_correctable_season

from vcn_ray.config import make_options
from vcn_ray.corrections.correction import Kind, make_correction
from vcn_ray.inputs.titles import slug
from vcn_ray.pipeline.layout import REASSIGNED_KEY
from vcn_ray.pipeline.outputs.found import read_found
from vcn_ray.pipeline.outputs.season_outputs import apply_to_tables, finished_titles, write_season
from vcn_ray.pipeline.outputs.title_outputs import finish_title
from vcn_ray.storage.store import Store

FIRST = "s01e01"

#: Track 3 of the second title is person 2, whom that title took for person 1.
TITLES = {
    FIRST: [
        *(Seen(1, shot, 0) for shot in range(4)),
        *(Seen(2, shot, 1, 1) for shot in range(4)),
        *(Seen(3, shot, 2) for shot in range(4, 6)),
    ],
    ODD: [
        *(Seen(1, shot, 0) for shot in range(3)),
        Seen(2, 3, 0),
        *(Seen(0, shot, 1, 1) for shot in range(3)),
        Seen(4, 4, 2),
    ],
}


@pytest.fixture
def season(tmp_path: Path) -> Store:
    out = Store(tmp_path / "season")
    write_correctable_season(out, TITLES)
    return out


def _characters(out: Store) -> list[int | None]:
    """Of the second title's tracks as delivered."""
    table = out.child("titles", slug(ODD)).read_table("tracks.parquet").sort_by("track_id")
    return table["cluster_id"].to_pylist()


def _again(out: Store, *titles: str) -> None:
    write_season(out, [slug(title) for title in titles], make_options({}), [], 1.0, MODELS)


def test_the_track_is_delivered_as_whom_the_season_shows(season: Store) -> None:
    title = finished_titles(season)[1]
    assert read_found(title, by_itself=True)["cluster_id"].to_pylist() == [0, 0, 0, 0, 1, 1, 1, 2]
    assert read_found(title)["cluster_id"].to_pylist() == [0, 0, 0, 3, 1, 1, 1, 2]
    delivered = _characters(season)
    assert delivered[0] == delivered[1] == delivered[2]
    assert len(set(delivered)) == 4
    cast = {(row["title"], row["cluster_id"]): row["cast_id"] for row in _rows(season, "cast_characters.parquet")}
    assert cast[ODD, delivered[3]] == cast[FIRST, 1]
    assert cast[ODD, delivered[0]] == cast[FIRST, 0]
    tracks = title.results.read_table("tracks.parquet").sort_by("track_id").to_pylist()
    assert 0.5 < tracks[3]["confidence"] < 1
    assert tracks[0]["confidence"] == pytest.approx(0.9)
    clusters = {row["cluster_id"]: row for row in title.results.read_table("clusters.parquet").to_pylist()}
    assert (clusters[delivered[0]]["tracks"], clusters[delivered[3]]["tracks"]) == (3, 1)
    known = [clusters[delivered[row]]["one_person"] for row in (0, 3, 4)]
    assert known == [None, None, 0.75]  # nobody has looked at the two that changed
    counts = json.loads(title.work.read_bytes("results.done.json"))["counts"]
    assert (counts["tracks"], counts["characters"]) == (8, 4)
    assert not finished_titles(season)[0].work.exists(REASSIGNED_KEY)
    season_tracks = [row for row in _rows(season, "tracks.parquet") if row["title"] == ODD and row["track_id"] == 3]
    assert season_tracks[0]["cast_id"] == cast[FIRST, 1]


def _rows(out: Store, key: str) -> list[dict]:
    return out.read_table(key).to_pylist()


def test_nothing_is_written_again_and_a_title_done_anew_is_moved_again(season: Store) -> None:
    title = finished_titles(season)[1]
    first, page = _characters(season), Path(title.results.where("report.html"))
    before = page.stat().st_mtime_ns
    _again(season, FIRST, ODD)
    assert page.stat().st_mtime_ns == before
    finish_title(title.work, ODD, title.results, {f"{ODD}.mp4": 1 / FPS})
    assert len(set(_characters(season))) == 3
    _again(season, FIRST, ODD)
    assert _characters(season) == first


def test_without_the_other_title_it_is_as_it_was_found(season: Store) -> None:
    _again(season, ODD)
    assert _characters(season) == [0, 0, 0, 0, 1, 1, 1, 2]
    _again(season, FIRST, ODD)
    assert len(set(_characters(season))) == 4


def test_what_people_say_comes_on_top(season: Store) -> None:
    found, places = read_rows(season)
    row = len(TITLES[FIRST]) + 3
    assert found.member[row] == found.member[4]
    back = make_correction(Kind.MOVE, [places.anchor(row)], [places.anchor(row - 1)], by="ann")
    apply_to_tables(season, [back])
    assert _characters(season) == [0, 0, 0, 0, 1, 1, 1, 2]
    apply_to_tables(season, [])
    assert len(set(_characters(season))) == 4
