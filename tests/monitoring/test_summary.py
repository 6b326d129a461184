"""What a run took, by stage and title: time without overlaps counted twice, hours reserved, idle share, cost."""

import threading
import time

import pytest

from vcn_ray.config import RunOptions
from vcn_ray.monitoring.summary import Summary


def _run(options: RunOptions, capacity: tuple[float, float] | None = None) -> Summary:
    summary = Summary(options, lambda: capacity, every_s=0.01)
    summary.landed("a", "tracks", "shards/a/0", {"started": 100.0, "ended": 110.0, "bytes_read": 1e6})
    summary.landed("a", "tracks", "shards/a/1", {"started": 105.0, "ended": 120.0, "bytes_read": 2e6})
    summary.landed("b", "tracks", "shards/b/0", {"started": 130.0, "ended": 131.0})
    summary.retried("a", "tracks", "its worker died")
    summary.landed("a", "adapt", "adapt", {"started": 200.0, "ended": 300.0, "cpus": 2, "gpus": 0.5})
    summary.moved("a", "done")
    summary.moved("b", "failed")
    return summary


def test_stages_and_titles_are_added_up() -> None:
    summary = _run(RunOptions())
    summary.close()
    content = summary.to_json()
    tracks, adapt = content["stages"]["tracks"], content["stages"]["adapt"]
    assert (tracks["steps"], tracks["wall_s"], tracks["cpu_s"], tracks["retries"]) == (3, 21, 26, 1)
    assert tracks["bytes_read"] == 3e6
    assert (adapt["wall_s"], adapt["cpu_s"], adapt["gpu_s"]) == (100, 200, 50)
    title = content["titles"]["a"]
    assert (title["state"], title["steps"], title["wall_s"], title["cpu_s"]) == ("done", 3, 120, 225)
    assert content["titles"]["b"]["state"] == "failed"
    assert content["reserved"]["cpu_s"] == 226
    assert content["reserved"]["cost"] is None
    assert content["machines"]["cpu_idle_share"] is None  # no Ray was up
    assert "cost" not in summary.table()[0]
    assert [row[0] for row in summary.table()] == ["", "tracks", "adapt", "a", "b", "work"]
    assert summary.table()[1] == ("tracks", "3", "21 s", "0.007", "", "1", "3.0 MB")


def test_hours_cost_what_they_cost() -> None:
    summary = _run(RunOptions(cpu_hour_cost=3.6, gpu_hour_cost=36.0))
    summary.close()
    content = summary.to_json()
    assert content["stages"]["tracks"]["cost"] == pytest.approx(0.026)
    assert content["stages"]["adapt"]["cost"] == pytest.approx(0.2 + 0.5)
    assert content["reserved"]["cost"] == pytest.approx(0.726)
    assert summary.table()[0][-1] == "cost"
    assert summary.table()[-1][-1] == "0.7260"
    only_gpus = _run(RunOptions(gpu_hour_cost=36.0))
    only_gpus.close()
    assert only_gpus.to_json()["reserved"]["cost"] == pytest.approx(0.5)


def test_idle_is_what_was_there_and_not_reserved() -> None:
    summary = Summary(RunOptions(cpu_hour_cost=36.0), lambda: (4.0, 1.0), every_s=0.01)
    time.sleep(0.2)
    summary.landed("a", "tracks", "shards/a/0", {"started": 100.0, "ended": 100.2})
    summary.close()
    content = summary.to_json()
    machines = content["machines"]
    assert machines["cpu_s"] == pytest.approx(4 * content["wall_s"], rel=0.2)
    assert machines["gpu_s"] == pytest.approx(machines["cpu_s"] / 4)
    assert machines["cpu_idle_share"] == pytest.approx(1 - 0.2 / machines["cpu_s"])
    assert machines["gpu_idle_share"] == 1
    assert machines["cost"] == pytest.approx(machines["cpu_s"] / 100)
    assert summary.table()[-1][0] == "machines"
    assert "% idle" in summary.sentence()
    time.sleep(0.1)
    assert summary.to_json() == content  # it is over


def test_a_run_that_found_all_done_has_nothing_to_sum_up() -> None:
    summary = Summary(RunOptions(), lambda: None)
    summary.moved("a", "done")
    summary.close()
    assert not summary.worked


def test_the_end_of_a_run_does_not_wait_for_a_ray_that_is_gone() -> None:
    answered = threading.Event()

    def hang() -> None:
        answered.wait(20)

    summary = Summary(RunOptions(), hang, last_look_s=0.1)
    began = time.monotonic()
    summary.close()
    assert time.monotonic() - began < 10
    answered.set()
