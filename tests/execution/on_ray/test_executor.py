"""A season on Ray, with stages that count numbers instead of faces.

- Results are those of a run in this process, byte by byte, whatever died on the way.
- A shard that kills its worker each time is its title's error; the other titles are done.
- The same command again does only what is missing.
- Whether videos and results lie in folders or in an object store makes no difference.
"""

from pathlib import Path

from support.counting_stages import CountingStages, results_of, video

from vcn_ray.config import make_options
from vcn_ray.execution.factory import make_executor
from vcn_ray.execution.on_ray.executor import RayExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.season.run import SeasonOutcome, run_season
from vcn_ray.storage.store import Store


def _run(season: Path, out: Path, stages: CountingStages, *, local: bool = False) -> SeasonOutcome:
    return run_season(
        find_season([season]),
        Store(out),
        make_options(),
        executor=make_executor("local" if local else "ray"),
        stages=stages,
    )


def test_deaths_of_workers_change_nothing_but_the_title_that_dies(tmp_path: Path, ray_cluster: None) -> None:
    season = tmp_path / "videos"
    video(season, "a.mp4", range(1, 51))
    video(season, "b.mp4", range(101, 131))
    video(season, "none.mp4", [0, 0, 0])
    stages = CountingStages(tmp_path / "calls", {25: "die once", 110: "die"}, adapt_trouble="die once")

    outcome = _run(season, tmp_path / "out", stages)
    assert {title.id: title.stage for title in outcome.failed} == {"b": "tracks", "none": "tracks"}
    assert "b.mp4, frames 0 to 20: its worker died 2 times" in str(outcome.titles[1].error)
    assert stages.called("adapt") == {"adapt a": 2}

    mended = CountingStages(tmp_path / "calls")
    before = mended.called("extract")
    outcome = _run(season, tmp_path / "out", mended)
    assert [title.id for title in outcome.failed] == ["none"]
    assert {c for c, n in mended.called("extract").items() if n > before[c]} == {"extract b.mp4 0-20"}
    assert not list(tmp_path.glob("out/titles/*/work/ray"))

    _run(season, tmp_path / "here", CountingStages(tmp_path / "other calls"), local=True)
    assert results_of(tmp_path / "out") == results_of(tmp_path / "here")

    calls = mended.called()

    class NeverStarted(RayExecutor):
        def start(self, *, extracting: bool) -> None:
            raise AssertionError("nothing is left to start Ray for")

    run_season(find_season([season]), Store(tmp_path / "out"), make_options(), executor=NeverStarted(), stages=mended)
    assert mended.called() == calls


def test_from_bucket_to_bucket(tmp_path: Path, ray_cluster: None, s3_bucket: str) -> None:
    store, stages = Store(s3_bucket), CountingStages(tmp_path / "calls", {25: "die once"})
    for folder in (Store(tmp_path / "videos"), store.child("videos")):
        folder.write_bytes("a.mp4", "\n".join(map(str, range(1, 51))).encode())
        folder.write_bytes("b.mp4", "\n".join(map(str, range(101, 131))).encode())
    season, out = find_season([f"{s3_bucket}/videos"]), store.child("out")
    options = make_options({"address": "auto"})  # so that the cluster's machines look at the videos, too
    assert not run_season(season, out, options, stages=stages).failed
    keys = ["titles/a/result.json", "titles/b/result.json", "all.json"]
    _run(tmp_path / "videos", tmp_path / "here", CountingStages(tmp_path / "other calls"), local=True)
    assert [out.read_bytes(key) for key in keys] == [Store(tmp_path / "here").read_bytes(key) for key in keys]
    calls = stages.called()
    assert not run_season(season, out, options, stages=stages).failed
    assert stages.called() == calls
    assert not out.exists(".lock")
