"""Numbers for Prometheus as they are handed to Ray; `tests/cluster_configs/test_watching.py` reads them from Ray."""

import subprocess
import sys
import time
from collections import defaultdict
from types import SimpleNamespace

import pytest

from vcn_ray.execution.on_ray.prometheus import METRICS, Metric, Metrics
from vcn_ray.inputs.titles import slug


class _Recorder:
    """In the place of Ray's metrics: what was counted, and the gauges of the last time."""

    def __init__(self) -> None:
        self.counts: defaultdict[tuple[str, ...], float] = defaultdict(float)
        self.gauges: dict[tuple[str, ...], float] = {}
        self.times: list[tuple[str, float]] = []

    def make(self, metric: Metric) -> object:
        def inc(value: float, tags: dict[str, str]) -> None:
            assert set(tags) == {"run", *metric.tags}
            assert value > 0
            self.counts[self.key(metric, tags)] += value

        def put(value: float, tags: dict[str, str]) -> None:
            assert set(tags) == {"run", *metric.tags}
            self.gauges[self.key(metric, tags)] = value

        def observe(value: float, tags: dict[str, str]) -> None:
            self.times.append((tags["stage"], value))

        return SimpleNamespace(inc=inc, set=put, observe=observe)

    @staticmethod
    def key(metric: Metric, tags: dict[str, str]) -> tuple[str, ...]:
        return metric.name, *(value for tag, value in tags.items() if tag != "run")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> _Recorder:
    recorder = _Recorder()
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    return recorder


def test_what_was_done_is_counted_once(recorder: _Recorder) -> None:
    told = Metrics("run", every_s=0.01, export=recorder.make)
    shard = {"started": 10.0, "ended": 12.0, "frames_decoded": 60.0, "frames_detected": 30.0, "faces": 0}
    told.landed("a", "tracks", "shards/a/0", shard)
    told.landed("a", "tracks", "shards/a/1", shard)
    told.landed("a", "views", "views/0", {"started": 12.0, "ended": 15.0, "crops": 7})
    told.landed("a", "adapt", "adapt", {"started": 20.0, "ended": 30.0, "cpus": 2, "gpus": 0.5})
    told.retried("a", "tracks", "its worker died")
    told.failed("b", "probe", "b.mp4 is damaged")
    told.close()
    told.close()
    assert recorder.counts == {
        ("vcn_frames_decoded",): 120,
        ("vcn_frames_detected",): 60,
        ("vcn_shards_done",): 2,
        ("vcn_view_crops",): 7,
        ("vcn_cpu_seconds", "tracks"): 4,
        ("vcn_cpu_seconds", "views"): 3,
        ("vcn_cpu_seconds", "adapt"): 20,
        ("vcn_gpu_seconds", "adapt"): 5,
        ("vcn_retries", "tracks"): 1,
        ("vcn_failures", "probe"): 1,
    }
    assert sorted(recorder.times) == [("adapt", 10), ("tracks", 2), ("tracks", 2), ("views", 3)]


def test_titles_that_fail_plan_no_more_frames(recorder: _Recorder) -> None:
    told = Metrics("run", every_s=60, export=recorder.make)
    for title in ("a", "b"):
        told.moved(title, "tracks")
        told.start(title, "tracks", 100, "frames", done=20)
    told.update("a", "tracks", 60)
    told.moved("b", "failed")
    told.failed("b", "tracks", "damaged")
    told.close()
    assert recorder.gauges["vcn_frames_done",] == 80
    assert recorder.gauges["vcn_frames_planned",] == 120
    assert recorder.gauges["vcn_titles", "tracks"] == recorder.gauges["vcn_titles", "failed"] == 1
    assert recorder.gauges["vcn_titles", "waiting"] == 0


@pytest.mark.parametrize("kept_s", [60.0, 0.0])
def test_a_title_is_named_only_while_it_adapts_and_shortly_after(recorder: _Recorder, kept_s: float) -> None:
    told = Metrics("run", every_s=60, kept_s=kept_s - 1e-6, export=recorder.make)
    for title in ("over", "on"):
        told.moved(title, "adapt")
        told.epoch(title, 2, 0, 0.25)
    told.moved("over", "results")
    told.moved("over", "done")
    told.close()
    titles = {key[1] for key in recorder.gauges if key[0] == "vcn_adaptation_loss"}
    assert titles == ({"over", "on"} if kept_s else {"on"})
    assert recorder.gauges["vcn_adaptation_iteration", "on"] == 2
    assert recorder.gauges["vcn_adaptation_epoch", "on"] == 1


@pytest.mark.parametrize("title", ["Überraschung é 日本", "日本", "\"'s 01 <b>", "=1+1", "s01e01"])
def test_a_title_of_any_name_is_told_as_its_folder(recorder: _Recorder, title: str) -> None:
    told = Metrics("run", every_s=60, export=recorder.make)
    for one in (title, f"{title} "):
        told.moved(one, "adapt")
        told.epoch(one, 2, 0, 0.25)
    told.close()
    labels = {key[1] for key in recorder.gauges if key[0] == "vcn_adaptation_loss"}
    assert labels == {slug(title), slug(f"{title} ")}
    assert len(labels) == 2
    assert all(label.isascii() for label in labels)


def test_a_ray_that_takes_no_metrics_does_not_stop_the_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(metric: Metric) -> None:
        raise RuntimeError("no agent")

    monkeypatch.setattr("ray.is_initialized", lambda: True)
    told = Metrics("run", every_s=60, export=broken)
    told.epoch("a", 1, 0, 0.5)
    told.close()
    assert "no agent" in caplog.text


def test_nothing_is_told_and_nothing_lost_before_ray_is_up(
    recorder: _Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = False
    monkeypatch.setattr("ray.is_initialized", lambda: up)
    told = Metrics("run", every_s=0.01, export=recorder.make)
    told.epoch("a", 1, 0, 0.5)
    time.sleep(0.05)
    assert not recorder.counts
    up = True
    told.close()
    assert recorder.counts == {("vcn_epochs",): 1}


def test_listening_does_not_import_ray() -> None:
    # Ray reads when it is imported what keeps a local one off the network: only a session may be the first to do that.
    listening = """if True:
        import sys, time
        from vcn_ray.config import RunOptions
        from vcn_ray.execution.on_ray.prometheus import Metrics
        from vcn_ray.monitoring.summary import Summary
        listeners = Metrics("run", every_s=0.01), Summary(RunOptions(), every_s=0.01)
        listeners[0].epoch("a", 1, 0, 0.5)
        time.sleep(0.1)
        for listener in listeners:
            listener.close()
        print("ray" in sys.modules)
    """
    run = subprocess.run([sys.executable, "-c", listening], capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout.strip() == "False"


def test_names_are_those_that_prometheus_takes() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("vcn_")
        assert not metric.name.endswith("_total")  # Ray adds it to counters
