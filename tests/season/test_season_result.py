"""A finished season as objects.

- A season leads to titles, cast, characters, tracks, faces and pictures, and each of these back.
- Order is the season's, and time within a title; numbers are those of the tables.
- Tables are read a column at a time, pictures from the title's own folder; work/ may be gone; s3:// is the same.
- What a notebook shows is complete in itself, and text of users is never markup.
"""

import base64
import re
import xml.etree.ElementTree as ET
from dataclasses import astuple
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from support.finished_season import ERROR, FAILED, NAME, ODD, PLAIN, TRACKS, labels_csv, shade, write_finished_season

import vcn_ray
from vcn_ray import schemas
from vcn_ray.errors import OutputError
from vcn_ray.inputs.titles import slug
from vcn_ray.season.result_tracks import Crops
from vcn_ray.season.season_result import SeasonResult
from vcn_ray.storage.store import Store


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("season") / "out"
    write_finished_season(Store(folder))
    return folder


@pytest.fixture
def season(out: Path) -> SeasonResult:
    return vcn_ray.load(out)


def test_titles_by_position_and_id(season: SeasonResult) -> None:
    assert [title.id for title in season.titles] == [PLAIN, FAILED, ODD]
    assert season.titles[ODD] is season.titles[2] is season.titles[-1] is season.titles[1:][1]
    assert season.titles[PLAIN].videos == ["/videos/s01e01.mp4"]
    assert season.titles[PLAIN].report == f"{season.out}/titles/s01e01/report.html"
    with pytest.raises(KeyError, match="no title x"):
        season.titles["x"]


def test_a_title_that_failed_has_its_sentence_and_nothing_else(season: SeasonResult) -> None:
    title = season.titles[FAILED]
    assert (title.error, title.stage, title.report) == (ERROR, "tracks", None)
    assert [len(part) for part in (title.tracks, title.unknown, title.characters, title.faces, title.iterations)] == [
        0
    ] * 5
    assert title.timeline().svg.count("<rect") == 0


def test_cast_by_number_and_name(season: SeasonResult) -> None:
    assert [member.cast_id for member in season.cast] == [0, 1, 2]
    assert [member.label for member in season.cast] == [NAME, "Cast 1", "Cast 2"]
    assert season.cast[NAME] == season.cast[0] != season.cast[1]
    assert season.cast[-1].cast_id == 2
    assert season.cast[:2] == [season.cast[0], season.cast[1]]
    with pytest.raises(KeyError, match="nobody is called Bob"):
        season.cast["Bob"]
    with pytest.raises(IndexError):
        season.cast[3]


def test_a_name_of_two_members_is_not_guessed(out: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    cast = Store(out).read_table("cast.parquet")
    store.write_table("cast.parquet", cast.set_column(1, "character", pa.array(["A", "A", None])), schemas.CAST)
    store.write_json("season.json", {"titles": [], "errors": []})
    with pytest.raises(KeyError, match="members 0, 1 are called A"):
        vcn_ray.load(tmp_path).cast["A"]


def test_a_member_leads_to_titles_characters_and_tracks_and_back(season: SeasonResult) -> None:
    member = season.cast[0]
    assert member.titles == [PLAIN, ODD]
    assert [(one.title, one.cluster_id, one.label) for one in member.characters] == [
        (PLAIN, 0, "Character 0"),
        (ODD, 0, NAME),
    ]
    assert [(one.one_person, one.is_person) for one in season.titles[PLAIN].characters] == [(0.75, 0.5), (0.75, None)]
    assert [(track.title, track.track_id) for track in member.tracks] == [(PLAIN, 0), (PLAIN, 2), (ODD, 0), (ODD, 3)]
    for track in member.tracks:
        assert season.cast[track.cast_id] == member
        title = season.titles[track.title]
        character = title.character(track.cluster_id)
        assert character in member.characters
        assert character.label == track.label
        assert title.track(track.track_id) == track
        assert track in character.tracks


def test_tracks_are_in_the_order_of_the_season_and_in_time(season: SeasonResult) -> None:
    assert [(track.title, track.track_id) for track in season.tracks] == [
        *((PLAIN, number) for number in (0, 1, 2)),
        *((ODD, number) for number in (4, 0, 1, 2, 3)),
    ]
    assert [track.track_id for track in season.titles[ODD].character(1).tracks] == [4, 2]


def test_an_unknown_track_says_why(season: SeasonResult) -> None:
    (track,) = season.unknown
    assert (track.title, track.reason) == (ODD, "low quality")
    assert (track.label, track.cluster_id, track.cast_id, track.confidence) == ("Unknown", None, None, None)
    assert list(season.titles[ODD].unknown) == [track]
    assert not len(season.titles[PLAIN].unknown)


def test_a_number_that_is_not_there_is_told(season: SeasonResult) -> None:
    with pytest.raises(KeyError, match=r"s01e01 has no track 9"):
        season.titles[PLAIN].track(9)


def test_a_track_has_its_faces(season: SeasonResult) -> None:
    track = season.titles[ODD].track(2)
    assert [face.frame for face in track.faces] == list(range(51))
    assert len(track.faces) == track.face_count
    assert {(face.title, face.video, face.cluster_id) for face in track.faces} == {(ODD, "b.mp4", 1)}


def test_appearances_are_rows_for_pandas(season: SeasonResult) -> None:
    seen = pd.DataFrame(season.cast[0].appearances())
    assert seen["title"].tolist() == [PLAIN, PLAIN, ODD, ODD]
    assert seen["start_s"].tolist() == [0.0, 8.0, 1.0, 3.0]
    assert seen["end_s"].tolist() == [4.0, 10.0, 4.0, 3.0]
    assert seen["last_frame"].tolist() == [100, 250, 100, 75]
    assert seen["confidence"].tolist() == pytest.approx([0.97] * 4)
    assert [track.track_id for track in seen["track"]] == [0, 2, 0, 3]


def test_tables_are_what_was_written(season: SeasonResult, out: Path) -> None:
    store = Store(out)
    for name, rows in {"faces": season.faces, "clusters": season.clusters, "cast": season.cast}.items():
        assert rows.to_arrow().equals(store.read_table(f"{name}.parquet"))
        assert len(rows.to_pandas()) == len(rows)
    order = [("title", "ascending"), ("track_id", "ascending")]
    assert season.tracks.to_arrow().sort_by(order).equals(store.read_table("tracks.parquet").sort_by(order))
    assert season.iterations.to_arrow().schema.names == ["title", *schemas.ITERATIONS.names]
    assert [(one.title, one.iteration, one.delivered) for one in season.iterations] == [
        (title, n, n == 1) for title in (PLAIN, ODD) for n in (0, 1)
    ]


def test_only_columns_that_are_asked_for_are_read(out: Path, tmp_path: Path) -> None:
    table = Store(out).read_table("faces.parquet").select(["title", "frame"])
    Store(tmp_path).write_table("faces.parquet", table)
    Store(tmp_path).write_json("season.json", {"titles": [], "errors": []})
    faces = vcn_ray.load(tmp_path).faces
    assert faces.to_arrow(["frame"]).equals(table.select(["frame"]))
    assert faces.to_arrow(["frame", "score"])["score"].null_count == len(table)  # of a run that did not have it
    with pytest.raises(KeyError, match="no column frames"):
        faces.to_arrow(["frames"])
    (tmp_path / "faces.parquet").unlink()
    assert faces.to_arrow(["frame"]).equals(table.select(["frame"]))  # nothing is read twice


def test_rows_where(season: SeasonResult) -> None:
    assert [track.track_id for track in season.tracks.where(title=ODD, cluster_id=0)] == [0, 3]
    assert [track.track_id for track in season.tracks.where(title=ODD).where(cluster_id=None)] == [1]
    assert len(season.tracks.where(title="nowhere")) == 0
    with pytest.raises(IndexError):
        season.tracks.where(title="nowhere")[0]


def _shades(crops: Crops) -> list[int]:
    return [round(float(np.asarray(crop).mean())) for crop in crops]


def test_crops_begin_with_the_best_and_come_once_each(season: SeasonResult) -> None:
    crops = season.cast[0].crops(4)
    assert _shades(crops) == [shade(ODD, 3, 0), *(shade(*track, 2) for track in ((PLAIN, 0), (PLAIN, 2), (ODD, 0)))]
    assert np.stack(crops).shape == (4, 112, 112, 3)
    assert np.stack(crops).dtype == np.uint8
    every = season.cast[0].crops(100)
    assert len(every) == 12
    assert len(set(_shades(every))) == 12
    assert len(season.cast[0].crops(0)) == 0
    first = crops[0]
    assert (first.title, first.video, first.frame, first.track_id) == (ODD, "b.mp4", 75, 3)


def test_crops_of_a_track_and_of_who_has_no_best_picture(season: SeasonResult) -> None:
    assert _shades(season.titles[PLAIN].track(1).crops(1)) == [shade(PLAIN, 1, 2)]
    assert _shades(season.cast[2].crops(1)) == [shade(ODD, 4, 2)]


def test_pixels_are_red_green_blue(out: Path, tmp_path: Path) -> None:
    red = cv2.imencode(".jpg", np.full((112, 112, 3), (0, 0, 200), np.uint8))[1].tobytes()
    write_finished_season(Store(tmp_path))
    title = Store(tmp_path).child("titles", PLAIN)
    crops = title.read_table("crops.parquet")
    title.write_table("crops.parquet", crops.set_column(5, "jpeg", pa.array([red] * len(crops))))
    mean = vcn_ray.load(tmp_path).titles[PLAIN].track(0).crops(1)[0].pixels.mean(axis=(0, 1))
    assert mean == pytest.approx([200, 0, 0], abs=4)


def test_without_pictures_all_else_is_shown(tmp_path: Path) -> None:
    write_finished_season(Store(tmp_path))
    (tmp_path / "titles" / PLAIN / "crops.parquet").unlink()
    season = vcn_ray.load(tmp_path)
    track = season.titles[PLAIN].track(1)
    assert "<img" not in track._repr_html_()
    assert "<img" not in season.cast[1]._repr_html_()
    with pytest.raises(OutputError, match=r"cannot read .*crops.parquet"):
        track.crops()


def test_a_timeline_has_a_lane_a_video_and_a_bar_a_track(season: SeasonResult) -> None:
    timeline = season.cast[0].timeline()
    assert [(lane.name, lane.duration_s, len(lane.tracks)) for lane in timeline.lanes] == [
        (PLAIN, 12.0, 2),
        (f"{ODD}, a.mp4", 12.0, 1),
        (f"{ODD}, b.mp4", 12.0, 1),
    ]
    drawn = ET.fromstring(timeline.svg)  # noqa: S314 (our own)
    bars = [float(bar.get("x", "")) for bar in drawn.iter("{http://www.w3.org/2000/svg}rect") if bar.get("rx")]
    left, right = bars[0], float(drawn.get("width", "")) - 24
    assert bars[1] == pytest.approx(left + 8 / 12 * (right - left), abs=0.2)
    of_title = season.titles[ODD].timeline()
    assert [(lane.name, lane.is_unknown) for lane in of_title.lanes] == [
        (f"{NAME}, a.mp4", False),
        ("Character 1, a.mp4", False),
        ("Unknown, a.mp4", True),
        (f"{NAME}, b.mp4", False),
        ("Character 1, b.mp4", False),
    ]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def _shown(season: SeasonResult) -> dict[str, str]:
    odd = season.titles[ODD]
    things = {
        "season": season,
        "cast": season.cast,
        "member": season.cast[0],
        "character": odd.character(0),
        "title": odd,
        "failed": season.titles[FAILED],
        "track": odd.track(0),
        "crops": season.cast[0].crops(),
        "timeline": odd.timeline(),
    }
    return {name: thing._repr_html_() for name, thing in things.items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("season", [ODD, ERROR, "cast of 3"]),
        ("cast", [NAME, "Cast 1", "9.0 s"]),
        ("member", [NAME, ODD]),
        ("character", [NAME, ODD]),
        ("title", [NAME, ODD, "a.mp4 (12 s), b.mp4 (12 s)"]),
        ("failed", [FAILED, ERROR]),
        ("track", [NAME, ODD, "0:01–0:04"]),
        ("crops", []),
        ("timeline", []),
    ],
)
def test_what_a_notebook_shows_is_plain_and_complete(season: SeasonResult, name: str, texts: list[str]) -> None:
    html = _shown(season)[name]
    page = _Page()
    page.feed(html)
    for text in texts:
        assert text in page.text
    assert not {"b", "script"} & set(re.findall(r"<(b|script)>", html.replace('<b style="font-size:1.1em">', "")))
    assert "script" not in page.tags
    assert all(link.startswith("data:image/jpeg;base64,") for link in page.links)
    if name not in ("failed", "timeline"):
        picture = base64.b64decode(page.links[0].split(",")[1])
        assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape[2] == 3
    assert len(html) < 60_000


def test_plain_text_of_everything_is_short(season: SeasonResult) -> None:
    odd = season.titles[ODD]
    things = [season, season.titles, season.cast, season.cast[0], odd, odd.tracks, odd.track(0), odd.character(0)]
    things += [season.titles[FAILED], season.faces, season.cast[0].crops(), odd.timeline(), season.cast[0].crops()[0]]
    for thing in things:
        assert len(repr(thing)) < 60 + len(str(season.out)) + 2 * len(ODD)
        assert "\n" not in repr(thing)
    assert f"{odd}" == ODD


def test_evaluation_is_of_the_tables(season: SeasonResult, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(labels_csv())
    summary = season.evaluate(tmp_path / "labels.csv").summary()
    assert (summary["identities"], summary["wcp"], summary["pcr"], summary["false_tracks"]) == (2, 1.0, 1.0, 5)


def test_the_same_from_an_object_store(season: SeasonResult, s3_bucket: str) -> None:
    write_finished_season(Store(f"{s3_bucket}/out"))
    remote = vcn_ray.load(f"{s3_bucket}/out")
    assert remote.titles[PLAIN].report == f"{s3_bucket}/out/titles/s01e01/report.html"
    assert [astuple(face) for face in remote.titles[PLAIN].track(0).faces] == [
        astuple(face) for face in season.titles[PLAIN].track(0).faces
    ]
    assert _shades(remote.cast[0].crops(3)) == _shades(season.cast[0].crops(3))
    assert remote.cast[0]._repr_html_() == season.cast[0]._repr_html_()
    assert not Store(f"{s3_bucket}/out").exists(f"titles/{slug(ODD)}/work")
    assert sum(map(len, TRACKS.values())) == len(remote.tracks)
