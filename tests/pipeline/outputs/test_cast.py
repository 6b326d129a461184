"""The cast of a season on disk: matched across titles, numbered by screen time, redone when a title changes."""

import cv2
import numpy as np
import pyarrow as pa
import pytest
from support.tiny_title import TRACKS, adapt, make_title

from vcn_ray import schemas
from vcn_ray.calibration import Calibration
from vcn_ray.config import ClusterOptions, make_options
from vcn_ray.errors import OutputError
from vcn_ray.export.season_page import SeasonEntry
from vcn_ray.models.loading import INSTALLED
from vcn_ray.pipeline.layout import EMBEDDINGS_KEY
from vcn_ray.pipeline.outputs.cast import People, deliver_cast, find_cast
from vcn_ray.pipeline.outputs.found import FinishedTitle
from vcn_ray.pipeline.outputs.season_outputs import write_season
from vcn_ray.storage.store import Store

_DIM = 64


def _table(rows, schema):
    return pa.Table.from_pylist(rows, schema)


def _write_title(out, title, characters, cannot_link=(), network="net", digest="1"):
    """A finished title; `characters` are (person, tracks, seconds) and get the numbers 0, 1, ... as clusters.

    Its tracks are numbered through from 0, one crop each, and one more track is Unknown.
    """
    people = np.random.default_rng(7).normal(size=(20, _DIM))
    noise = np.random.default_rng(list(title.encode()))
    clusters, tracks, embeddings = [], [], []
    for cluster, (person, count, seconds) in enumerate(characters):
        first = len(tracks)
        for _ in range(count):
            vector = people[person] + 0.5 * noise.normal(size=_DIM)
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            embeddings.append({"track_id": len(tracks), "face_id": network, "embedding": vector.tolist()})
            tracks.append({"title": title, "track_id": len(tracks), "cluster_id": cluster, "faces": 10})
        clusters.append(
            {"title": title, "cluster_id": cluster, "tracks": count, "faces": 10 * count, "screen_time_s": seconds}
            | {"best_track_id": first, "best_frame": 12}
        )
    tracks.append({"title": title, "track_id": len(tracks), "cluster_id": None, "faces": 3})
    faces = [{"title": title, "track_id": row["track_id"], "cluster_id": row["cluster_id"]} for row in tracks]
    jpeg = cv2.imencode(".jpg", np.full((112, 112, 3), 90, np.uint8))[1].tobytes()
    crops = [{"track_id": n, "frame": 12, "score": 0.9, "sharpness": 1.0, "jpeg": jpeg} for n in range(len(tracks) - 1)]
    store = out.child("titles", title)
    work = store.child("work")
    for name, rows in {"clusters": clusters, "tracks": tracks, "faces": faces}.items():
        store.write_table(f"{name}.parquet", _table(rows, getattr(schemas, name.upper())))
    work.write_table(
        "found.parquet", _table([{k: row[k] for k in ("track_id", "cluster_id")} for row in tracks], schemas.FOUND)
    )
    work.write_table(EMBEDDINGS_KEY, _table(embeddings, schemas.EMBEDDINGS))
    links = [{"track_a": a, "track_b": b} for a, b in cannot_link]
    work.write_table("split/cannot_link.parquet", _table(links, schemas.CANNOT_LINK))
    work.write_table("split/splits.parquet", schemas.SPLITS.empty_table())
    work.write_table("tracks/crops.parquet", _table(crops, schemas.CROPS))
    work.write_json("season_entry.json", SeasonEntry(title, "done", href=f"titles/{title}/report.html").to_dict())
    work.mark_done("results", digest)
    return FinishedTitle(title, store)


def make_cast(out, titles, options=None):
    """The cast as found, delivered."""
    found = find_cast(out, titles, options or ClusterOptions())
    return deliver_cast(out, titles, People(found.member_of), found.networks)


@pytest.fixture
def season(tmp_path):
    """Person 0 in both titles, person 1 in the first, person 2 in the second."""
    out = Store(tmp_path / "out")
    first = _write_title(out, "e1", [(0, 3, 30.0), (1, 2, 20.0)])
    second = _write_title(out, "e2", [(2, 3, 35.0), (0, 3, 10.0)])
    return out, [first, second]


def _members(found):
    return {title: found.of_title(title) for title in ("e1", "e2")}


def test_people_are_matched_and_numbered_by_screen_time(season):
    out, titles = season
    found = make_cast(out, titles)
    assert _members(found) == {"e1": {0: 0, 1: 2}, "e2": {0: 1, 1: 0}}
    first, *_ = out.read_table("cast.parquet").to_pylist()
    assert first == {
        "cast_id": 0,
        "character": None,
        "name_confidence": None,
        "titles": 2,
        "characters": 2,
        "tracks": 6,
        "faces": 60,
        "screen_time_s": 40.0,
        "first_title": "e1",
        "best_title": "e1",
        "best_track_id": 0,
        "best_frame": 12,
    }
    assert out.read_table("cast.parquet").schema == schemas.CAST
    assert out.read_bytes("cast.csv").count(b"\n") == 4
    assert found.warnings == []


def test_order_of_titles_changes_no_number(season):
    out, titles = season
    assert _members(make_cast(out, titles)) == _members(make_cast(out.child("other"), titles[::-1]))


def test_nothing_is_matched_again_until_a_title_changes(season):
    out, titles = season
    first = make_cast(out, titles)
    work = titles[0].work
    needed = work.read_bytes(EMBEDDINGS_KEY)
    work.delete(EMBEDDINGS_KEY)  # without it nothing can be matched
    again = make_cast(out, titles)
    assert again.members.equals(first.members)
    assert again.member_of == first.member_of
    with pytest.raises(OutputError):
        make_cast(out, titles[:1])
    work.write_bytes(EMBEDDINGS_KEY, needed)
    _write_title(out, "e2", [(2, 3, 35.0)], digest="2")
    assert _members(make_cast(out, titles))["e2"] == {0: 0}
    assert len(make_cast(out, titles[:1]).members) == 2


def test_two_who_are_seen_together_stay_apart(tmp_path):
    out = Store(tmp_path)
    titles = [_write_title(out, "e1", [(0, 3, 5.0)])]
    split = [(0, 3, 5.0), (0, 3, 4.0), (1, 2, 1.0), (2, 2, 1.0)]
    healed = make_cast(out, [*titles, _write_title(out, "e2", split)]).of_title("e2")
    assert healed[0] == healed[1]
    apart = make_cast(out, [*titles, _write_title(out, "e2", split, [(0, 3)], digest="2")]).of_title("e2")
    assert apart[0] != apart[1]


def test_titles_of_different_networks_are_not_matched_and_that_is_told(tmp_path):
    out = Store(tmp_path)
    titles = [_write_title(out, f"e{n}", [(0, 3, 5.0), (1, 3, 4.0)], network=f"net{n % 2}") for n in range(3)]
    found = make_cast(out, titles)
    assert len(found.members) == 4
    assert found.of_title("e0") == found.of_title("e2")
    assert "2 face-ID networks" in found.warnings[0]
    assert make_cast(out, titles).warnings == found.warnings


def test_titles_without_characters_and_seasons_without_titles(tmp_path):
    out = Store(tmp_path)
    empty = _write_title(out, "e1", [])
    assert len(make_cast(out, []).members) == 0
    found = make_cast(out, [empty, _write_title(out, "e2", [(0, 1, 1.0)])])
    assert (found.of_title("e1"), found.of_title("e2")) == ({}, {0: 0})


def test_the_season_carries_the_cast_and_its_titles_do_not_change(season):
    out, _ = season
    before = {key: out.read_bytes(key) for key in out.keys("titles/")}
    write_season(out, ["e1", "e2"], make_options({}), [{"title": "e3", "error": "e3 is empty"}], 3.0, INSTALLED)
    assert {key: out.read_bytes(key) for key in out.keys("titles/")} == before
    assert out.read_table("clusters.parquet")["cast_id"].to_pylist() == [0, 2, 1, 0]
    assert out.read_table("tracks.parquet")["cast_id"].to_pylist() == [0] * 3 + [2] * 2 + [None] + [1] * 3 + [0] * 3 + [
        None
    ]
    assert out.read_table("faces.parquet").schema == schemas.SEASON_FACES
    page = out.read_bytes("index.html").decode()
    assert page.count('<tr id="cast-') == 3
    assert 'href="titles/e2/report.html#c1"' in page
    assert page.count("data:image/jpeg") == 3
    assert "e3 is empty" in page


def test_adaptation_stores_what_the_base_model_says_of_each_track(tmp_path):
    store = Store(tmp_path)
    make_title(store)
    adapt(store, {"max_iterations": 1})
    table = store.read_table(EMBEDDINGS_KEY)
    assert table.schema == schemas.EMBEDDINGS
    assert table["track_id"].to_pylist() == list(range(TRACKS))
    assert set(table["face_id"].to_pylist()) == {"tiny"}
    vectors = np.array(table["embedding"].to_pylist())
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    same = vectors[0] @ vectors[3]  # tracks of one "person", of another
    assert same > vectors[0] @ vectors[1]


def test_the_seasons_own_calibration_and_cost_count_for_the_cast(season):
    out, titles = season
    assert len(make_cast(out, titles).members) == 3
    assert len(make_cast(out, titles, ClusterOptions(false_merge_cost=1e300)).members) == 4
    unlike = Calibration(stranger_mean=0.9, stranger_std=0.01, same_mean=0.99, same_std=0.01)
    assert len(make_cast(out, titles, ClusterOptions(calibration=unlike)).members) == 4
