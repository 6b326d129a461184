"""Runs from given tracks, in this process, on a drawn film.

- export, run on what was exported, evaluate against it: nothing is lost, through each format with boxes, and crops are
  the same to the byte
- landmarks that are not given are found in the boxes; a track in whose boxes there are none is Unknown and says so
- the same command again does nothing, another content of the file does the title again
- one file for several titles, one a title, a season file; what does not fit fails its title alone with a sentence
- nobody's boxes stay behind in the working data beside the tracks
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from support.drawn_film import DRAWN_MODELS, draw_film
from support.tiny_title import tiny_options

from vcn_ray import load
from vcn_ray.errors import InputError
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.pipeline.videoclusternet import VideoClusterNet
from vcn_ray.season.dry_run import plan_season
from vcn_ray.season.run import SeasonOutcome, run_season
from vcn_ray.season.season_result import SeasonResult
from vcn_ray.storage.store import Store

_OPTIONS: Mapping[str, object] = {"max_iterations": 0, "min_sharpness": 0.0, "detect_every_frames": 2}


def _run(inputs: list, out: Path | str, **given: object) -> SeasonOutcome:
    season = find_season(inputs, **given)  # type: ignore[arg-type]
    stages = VideoClusterNet(DRAWN_MODELS)
    options = tiny_options(dict(_OPTIONS))
    return run_season(season, Store(out), options, executor=LocalExecutor(), stages=stages)


def _tables(season: SeasonResult) -> list[pa.Table]:
    faces = ["video", "frame", "time_s", "x", "y", "w", "h", "track_id", "cluster_id"]
    return [season.faces.to_arrow(faces), season.tracks.to_arrow(["track_id", "crops", "reason", "cluster_id"])]


def _pictures(season: SeasonResult) -> list[bytes]:
    crops = Store(season.out).child("titles", season.titles[0].slug).read_table("crops.parquet")
    return crops["jpeg"].to_pylist()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_film(tmp_path_factory.mktemp("film") / "Überraschung é 日本 '<b>.mkv")


@pytest.fixture(scope="module")
def found(film: Path, tmp_path_factory: pytest.TempPathFactory) -> SeasonResult:
    """What a run finds by itself."""
    out = tmp_path_factory.mktemp("found") / "out"
    assert not _run([film], out).failed
    return load(out)


@pytest.mark.parametrize("format_name", ["paper", "mot", "season"])
def test_a_round_trip_loses_nothing(film: Path, found: SeasonResult, tmp_path: Path, format_name: str) -> None:
    given = found.out if format_name == "season" else found.export(format_name, tmp_path / "given").where
    assert not _run([film], tmp_path / "out", tracks=[given]).failed
    again = load(tmp_path / "out")
    assert len(found.tracks) == 5
    before, after = _tables(found), _tables(again)
    if format_name == "mot":  # ids count from 1 there
        before = [
            table.set_column(
                table.schema.get_field_index("track_id"),
                "track_id",
                pa.array([number + 1 for number in table["track_id"].to_pylist()]),
            )
            for table in before
        ]
    assert [table.to_pydict() for table in after] == [table.to_pydict() for table in before]
    assert _pictures(again) == _pictures(found)
    figures = again.evaluate(given)
    assert (figures.tracks, figures.false_tracks, figures.appearance_recall) == (5, 0, 1.0)
    assert (figures.scores.wcp, figures.scores.pcr, figures.scores.bcubed_f_all) == (1.0, 1.0, 1.0)
    rttm = found.export("rttm", tmp_path / "a.rttm")
    assert again.evaluate_presence(rttm).error_rate == 0
    work = Store(tmp_path / "out").child("titles", again.titles[0].slug, "work")
    assert [key for key in work.keys("given/") if not key.endswith(".done.json")] == []


def _write(path: Path, rows: list[str], head: str = "video,frame,x,y,w,h,track") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_boxes_alone_suffice_and_where_nobody_is_there_is_no_crop(film: Path, tmp_path: Path) -> None:
    rows = [f"{frame},{20 + 2 * frame},50,64,64,7" for frame in range(30)]
    rows += [f"{frame},230,60,60,60,9" for frame in range(30, 60)]
    assert not _run([film], tmp_path / "out", tracks=[_write(tmp_path / "a.csv", rows, "frame,x,y,w,h,track")]).failed
    tracks = load(tmp_path / "out").tracks.to_arrow().to_pylist()
    assert [(one["track_id"], one["faces"], one["crops"] > 0) for one in tracks] == [(7, 30, True), (9, 30, False)]
    assert tracks[1]["reason"] == "all faces without landmarks in their boxes"


def test_another_content_does_the_title_again(film: Path, tmp_path: Path) -> None:
    def rows(y: int) -> list[str]:
        return [f"{film.name},{frame},{20 + 2 * frame},{y},64,64,1" for frame in range(30)]

    given = _write(tmp_path / "a.csv", rows(50))
    _run([film], tmp_path / "out", tracks=[given])
    assert _run([film], tmp_path / "out", tracks=[given]).summary is None
    _write(given, rows(52))
    season, stages = find_season([film], tracks=[given]), VideoClusterNet(DRAWN_MODELS)
    plan = plan_season(season, Store(tmp_path / "out"), tiny_options(dict(_OPTIONS)), stages=stages)
    assert {row.why for row in plan.rows} == {"the tracks that are given for it have changed"}
    assert _run([film], tmp_path / "out", tracks=[given]).summary is not None
    assert load(tmp_path / "out").faces.to_arrow(["y"])["y"].to_pylist() == [52] * 30
    assert _run([film], tmp_path / "out").summary is not None  # and without them, faces are looked for
    assert len(load(tmp_path / "out").tracks) == 5


def test_several_titles(film: Path, tmp_path: Path) -> None:
    videos = [tmp_path / "a.mkv", tmp_path / "b.mkv"]
    for video in videos:
        video.write_bytes(film.read_bytes())
    rows = {name: [f"{name}.mkv,{n},{20 + 2 * n},50,64,64,{t}" for n in range(30)] for name, t in (("a", 4), ("b", 6))}
    both = _write(tmp_path / "both.csv", rows["a"] + rows["b"])
    one = _write(tmp_path / "1.csv", rows["a"])
    yaml = tmp_path / "season.yaml"
    yaml.write_text("titles: [{video: a.mkv, tracks: 1.csv}, {title: B, video: b.mkv, tracks: 2.csv, tracks_fps: 24}]")
    _write(tmp_path / "2.csv", rows["b"])
    for n, (inputs, given) in enumerate([(videos, [both]), ([yaml], [])]):
        assert not _run(inputs, tmp_path / f"out{n}", tracks=given).failed
        assert load(tmp_path / f"out{n}").tracks.to_arrow()["track_id"].to_pylist() == [4, 6]
    together = _run(videos, tmp_path / "together", title="Both", tracks=[both])
    assert not together.failed
    assert load(tmp_path / "together").tracks.to_arrow()["track_id"].to_pylist() == [4, 6]
    beyond = _write(tmp_path / "3.csv", ["b.mkv,90,1,1,60,60,1"])
    outcome = _run(videos, tmp_path / "out3", tracks=[one, beyond])
    assert [(title.id, title.error and title.error[:60]) for title in outcome.titles] == [
        ("a", None),
        ("b", f"{beyond}: it has a face in frame 90"[:60]),
    ]
    unnamed = _write(tmp_path / "4.csv", ["0,1,1,60,60,1"], "frame,x,y,w,h,track")
    outcome = _run(videos, tmp_path / "out4", tracks=[unnamed])
    assert all("does not say which video its tracks are of" in str(title.error) for title in outcome.titles)
    assert "it has no tracks of b.mkv; it has some of: a.mkv" in str(
        _run(videos[1:], tmp_path / "5", tracks=[one]).failed
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tracks": ["a", "b"]}, "--tracks is there 2 times for 1 titles"),
        ({"tracks_fps": 24.0}, "give that, too"),
        ({"tracks": ["a"], "tracks_fps": 0.0}, "above 0"),
    ],
)
def test_what_cannot_be_meant(film: Path, given: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        find_season([film], **given)
