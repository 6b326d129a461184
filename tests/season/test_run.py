"""What a run does and does not do, in this process, with stages that count numbers instead of faces.

- A finished step is never repeated; a changed option or video redoes what depends on it and nothing else.
- A title fails alone and says why; the same command tries it again.
- Neither the order of the videos, the window nor an interruption changes the results.
"""

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from support.counting_stages import CountingStages, results_of, video

from vcn_ray.config import make_options
from vcn_ray.errors import OutputError, VcnError
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.inputs.titles import TimeRange, slug
from vcn_ray.monitoring.monitor import NullMonitor
from vcn_ray.season.run import SeasonOutcome, run_season
from vcn_ray.storage.store import Store

Run = Callable[..., SeasonOutcome]


@pytest.fixture
def season(tmp_path: Path) -> Path:
    """A folder of two videos, of three and two shards of 20 frames."""
    video(tmp_path / "videos", "a.mp4", range(1, 51))
    video(tmp_path / "videos", "b.mp4", range(101, 131))
    return tmp_path / "videos"


def _run(
    season: Path | list[str],
    out: Path,
    stages: CountingStages,
    part: TimeRange | None = None,
    title: str | None = None,
    **options: object,
) -> SeasonOutcome:
    inputs = [season] if isinstance(season, Path) else season
    return run_season(
        find_season(inputs, title),
        Store(out),
        make_options(options),
        executor=LocalExecutor(),
        stages=stages,
        part=part,
    )


def test_each_title_gets_its_results(season: Path, tmp_path: Path) -> None:
    outcome = _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"))
    assert [(title.id, title.error, title.counts["tracks"]) for title in outcome.titles] == [
        ("a", None, 50),
        ("b", None, 30),
    ]
    assert {"tracks", "views", "adapt", "results"} == set(outcome.titles[0].seconds)
    assert "all.json" in results_of(tmp_path / "out")


def test_same_command_again_does_nothing(season: Path, tmp_path: Path) -> None:
    stages = CountingStages(tmp_path / "calls")
    first = _run(season, tmp_path / "out", stages)
    calls, results = stages.called(), results_of(tmp_path / "out")
    second = _run(season, tmp_path / "out", stages)
    assert stages.called() == calls
    assert results_of(tmp_path / "out") == results
    assert [title.counts for title in second.titles] == [title.counts for title in first.titles]


@pytest.mark.parametrize(
    ("options", "redone"),
    [
        ({"window_s": 7}, ()),
        ({"num_cpus": 3}, ()),
        ({"threads_per_title": 1}, ("adapt", "finish")),
        ({"device": "cuda"}, ("adapt", "finish")),
        ({"seed": 5}, ("adapt a", "adapt b", "finish a", "finish b", "finish season")),
        (
            {"sample_every_frames": 5},
            ("adapt", "assemble", "extract", "finish"),
        ),
    ],
)
def test_changed_option_redoes_what_depends_on_it(
    season: Path, tmp_path: Path, options: dict[str, object], redone: tuple[str, ...]
) -> None:
    stages = CountingStages(tmp_path / "calls")
    _run(season, tmp_path / "out", stages)
    before = stages.called()
    _run(season, tmp_path / "out", stages, **options)
    again = {call for call, times in stages.called().items() if times > before.get(call, 0)}
    assert all(call.startswith(redone) for call in again) if redone else not again
    assert all(any(call.startswith(prefix) for call in again) for prefix in redone)


def _write_network(path: Path, version: int) -> None:
    node = onnx.helper.make_node("Identity", ["in"], ["out"])
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [version]) for name in ("in", "out")]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:1], values[1:])), path)


def test_another_face_id_network_keeps_the_tracks(
    season: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = CountingStages(tmp_path / "calls")
    _run(season, tmp_path / "out", stages)
    monkeypatch.chdir(tmp_path)
    for version in (1, 2):
        before = stages.called()
        _write_network(tmp_path / "net.onnx", version)
        _run(season, tmp_path / "out", stages, face_id_onnx="net.onnx")
        again = {call for call, times in stages.called().items() if times > before.get(call, 0)}
        assert again == {"adapt a", "adapt b", "finish a", "finish b", "finish season"}
    options = json.loads((tmp_path / "out" / "season.json").read_text())["options"]
    assert options["models"]["face_id_onnx"] == str(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": "full"}, "the face-ID network is no vision transformer"),
        ({"depth": "full_on_gpu", "device": "cpu"}, "a CPU trains the head alone"),
    ],
)
def test_patch_tokens_that_cannot_be_trained_are_refused_before_any_work(
    season: Path, tmp_path: Path, options: dict[str, str], message: str
) -> None:
    stages = CountingStages(tmp_path / "calls")
    with pytest.raises(VcnError, match=f"option 'patch_loss': {message}"):
        _run(season, tmp_path / "out", stages, patch_loss=1, **options)
    assert {call.split()[0] for call in stages.called()} <= {"probe"}


def test_a_title_whose_own_options_cannot_be_trained_fails_alone(season: Path, tmp_path: Path) -> None:
    stages = CountingStages(tmp_path / "calls")
    outcome = run_season(
        find_season([season]),
        Store(tmp_path / "out"),
        make_options({"device": "cpu"}),
        executor=LocalExecutor(),
        stages=stages,
        title_options={"a": make_options({"device": "cpu", "depth": "full", "patch_loss": 1})},
    )
    failed, *others = outcome.titles
    assert failed.id == "a"
    assert failed.error is not None
    assert failed.error.startswith("option 'patch_loss': the face-ID network is no vision transformer")
    assert others
    assert all(title.error is None for title in others)
    assert not any(call.startswith("extract a") for call in stages.called())


def test_record_tells_where_sums_were_made(season: Path, tmp_path: Path) -> None:
    _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"), device="cpu", threads_per_title=3)
    record = json.loads((tmp_path / "out" / "season.json").read_text())
    assert (record["device"], record["threads_per_title"]) == ("cpu", 3)


@pytest.mark.parametrize(("step", "options"), [("finish", {"seed": 5}), ("assemble", {"sample_every_frames": 5})])
def test_marker_of_other_options_does_not_vouch_for_what_was_written_since(
    season: Path, tmp_path: Path, step: str, options: dict[str, int]
) -> None:
    class Stopped(CountingStages):
        """Writes, and is stopped before the step is marked."""

        def finish(self, *arguments):
            super().finish(*arguments)
            raise KeyboardInterrupt

        def assemble(self, *arguments):
            counts = super().assemble(*arguments)
            if step == "assemble":
                raise KeyboardInterrupt
            return counts

    _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"))
    results = results_of(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        _run(season, tmp_path / "out", Stopped(tmp_path / "calls"), **options)
    _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"))
    assert results_of(tmp_path / "out") == results


def test_shard_is_not_done_while_it_is_written_again(season: Path, tmp_path: Path) -> None:
    class Looking(CountingStages):
        def extract(self, store, step, *rest):
            assert not store.exists(f"{step}.done.json")
            return super().extract(store, step, *rest)

    first = _run(season, tmp_path / "out", CountingStages(tmp_path / "calls", {45: "error"}))
    assert [title.id for title in first.failed] == ["a"]
    assert list(tmp_path.glob("out/titles/a/work/shards/*/*.done.json"))
    assert not _run(season, tmp_path / "out", Looking(tmp_path / "calls"), sample_every_frames=2).failed


def test_changed_video_is_done_again_and_only_that(season: Path, tmp_path: Path) -> None:
    stages = CountingStages(tmp_path / "calls")
    _run(season, tmp_path / "out", stages)
    before = stages.called()
    video(season, "b.mp4", range(201, 221))
    _run(season, tmp_path / "out", stages)
    again = {call for call, times in stages.called().items() if times > before.get(call, 0)}
    assert {"probe b.mp4", "extract b.mp4 0-20", "adapt b"} <= again
    assert not any(" a" in call for call in again)


def test_touched_video_is_probed_again_and_nothing_else(season: Path, tmp_path: Path) -> None:
    stages = CountingStages(tmp_path / "calls")
    _run(season, tmp_path / "out", stages)
    before = stages.called()
    video(season, "b.mp4", range(101, 131))
    _run(season, tmp_path / "out", stages)
    assert {call for call, times in stages.called().items() if times > before.get(call, 0)} == {"probe b.mp4"}


@pytest.mark.parametrize("window_s", [1, 7, 20, 500])
def test_window_does_not_change_the_results(season: Path, tmp_path: Path, window_s: int) -> None:
    _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"))
    _run(season, tmp_path / "other", CountingStages(tmp_path / "calls"), window_s=window_s)
    assert results_of(tmp_path / "out") == results_of(tmp_path / "other")


@pytest.mark.parametrize("fault", ["error", "user error"])
def test_title_fails_alone_and_goes_on_from_there(season: Path, tmp_path: Path, fault: str) -> None:
    stages = CountingStages(tmp_path / "calls", {25: fault})
    outcome = _run(season, tmp_path / "out", stages)
    (failed,) = outcome.failed
    assert (failed.id, failed.stage) == ("a", "tracks")
    assert "a.mp4" in str(failed.error)
    (entry,) = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert entry["title"] == "a"
    assert (failed.log is not None) == (fault == "error")
    if failed.log is not None:
        assert "the decoder is confused" in Path(failed.log).read_text()
    assert "titles/b/result.json" in results_of(tmp_path / "out")

    mended = CountingStages(tmp_path / "calls")
    before = mended.called("extract")
    assert not _run(season, tmp_path / "out", mended).failed
    assert {c for c, n in mended.called("extract").items() if n > before.get(c, 0)} == {"extract a.mp4 20-40"}
    assert json.loads((tmp_path / "out" / "errors.json").read_text()) == []
    _run(season, tmp_path / "whole", CountingStages(tmp_path / "calls"))
    results = results_of(tmp_path / "out")
    results.pop("titles/a/error.log", None)
    assert results == results_of(tmp_path / "whole")


@pytest.mark.parametrize("stage", ["views", "error"])
def test_failure_of_adaptation_is_the_titles_own(season: Path, tmp_path: Path, stage: str) -> None:
    outcome = _run(season, tmp_path / "out", CountingStages(tmp_path / "calls", adapt_trouble=stage))
    assert [(title.id, title.stage) for title in outcome.failed] == [("a", "adapt"), ("b", "adapt")]


def test_title_without_a_face_says_so_at_once_the_second_time(season: Path, tmp_path: Path) -> None:
    video(season, "empty.mp4", [0] * 30)
    stages = CountingStages(tmp_path / "calls")
    for _ in range(2):
        (failed,) = _run(season, tmp_path / "out", stages).failed
        assert "empty.mp4: no face was found" in str(failed.error)
    assert stages.called()["assemble empty.mp4"] == 1


def test_nothing_of_an_earlier_run_stays_when_all_titles_fail(season: Path, tmp_path: Path) -> None:
    _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"))
    assert len(json.loads((tmp_path / "out" / "all.json").read_text())) == 2
    faults = {25: "error", 110: "error"}
    outcome = _run(season, tmp_path / "out", CountingStages(tmp_path / "calls", faults), sample_every_frames=2)
    assert len(outcome.failed) == 2
    assert json.loads((tmp_path / "out" / "all.json").read_text()) == []


def test_messages_name_the_title_as_its_user_does(season: Path, tmp_path: Path) -> None:
    said: list[str] = []

    class Heard(NullMonitor):
        def start(self, title: str, *rest: object, **more: object) -> None:
            said.append(title)

        def say(self, text: str) -> None:
            said.append(text)

    stages = CountingStages(tmp_path / "calls", adapt_warning="few tracks")
    run_season(
        find_season([season], "My Séries"),
        Store(tmp_path / "out"),
        make_options(),
        executor=LocalExecutor(),
        stages=stages,
        monitor=Heard(),
    )
    assert "My Séries: few tracks" in said
    assert not any("my-s-ries" in text.replace(str(tmp_path), "") for text in said if "report.html" not in text)


def test_part_works_on_its_frames_only(season: Path, tmp_path: Path) -> None:
    stages = CountingStages(tmp_path / "calls")
    outcome = _run(season, tmp_path / "out", stages, TimeRange(10, 35))
    assert [title.counts["tracks"] for title in outcome.titles] == [25, 20]
    assert set(stages.called("extract a")) == {"extract a.mp4 10-20", "extract a.mp4 20-35"}
    assert [title.counts["tracks"] for title in _run(season, tmp_path / "out", stages).titles] == [50, 30]


def test_part_beyond_the_end_is_refused_by_name(season: Path, tmp_path: Path) -> None:
    (failed,) = _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"), TimeRange(40)).failed
    assert "b.mp4: nothing of it lies between --from and --to" in str(failed.error)


def test_one_title_of_several_videos(season: Path, tmp_path: Path) -> None:
    (result,) = _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"), title="Both").titles
    assert (result.id, result.slug, result.counts["tracks"]) == ("Both", slug("Both"), 80)


def test_interrupted_run_goes_on_where_it_was(season: Path, tmp_path: Path) -> None:
    class Interrupted(CountingStages):
        def extract(self, store, task, *rest):
            if task.first_frame == 40:
                raise KeyboardInterrupt
            return super().extract(store, task, *rest)

    with pytest.raises(KeyboardInterrupt):
        _run(season, tmp_path / "out", Interrupted(tmp_path / "calls"))
    stages = CountingStages(tmp_path / "calls")
    _run(season, tmp_path / "out", stages)
    assert set(stages.called("extract").values()) == {1}
    _run(season, tmp_path / "whole", CountingStages(tmp_path / "calls"))
    assert results_of(tmp_path / "out") == results_of(tmp_path / "whole")


def test_shards_of_other_options_are_cleared_away(season: Path, tmp_path: Path) -> None:
    _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"))
    _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"), window_s=30, sample_every_frames=3)
    shards = Store(tmp_path / "out").child("titles", "a", "work").keys("shards/")
    assert {key.split("/")[2].split(".")[0] for key in shards} == {"00000000-00000030", "00000030-00000050"}


def test_second_run_into_the_same_folder_is_refused(season: Path, tmp_path: Path) -> None:
    class Greedy(CountingStages):
        def probe(self, path: str):
            with pytest.raises(OutputError, match="another run"):
                _run(season, tmp_path / "out", CountingStages(tmp_path / "calls"))
            return super().probe(path)

    assert not _run(season, tmp_path / "out", Greedy(tmp_path / "calls")).failed


def test_folder_that_cannot_be_made(season: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/out.*choose another --out"):
        _run(season, tmp_path / "file" / "out", CountingStages(tmp_path / "calls"))
