"""A run's log keeps each event as a JSON line in parts of a bounded number."""

import json
import time
from pathlib import Path

import pytest

from vcn_ray.errors import OutputError
from vcn_ray.monitoring.event_log import EventLog
from vcn_ray.storage.store import Store

_RUN = "0123456789abcdef"


def _lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in sorted(out.glob("logs/*.jsonl")) for line in path.read_text().splitlines()]


def test_every_event_is_a_line_in_order(tmp_path: Path) -> None:
    log = EventLog(Store(tmp_path), _RUN)
    log.moved("a", "tracks")
    log.start("a", "tracks", 50, "frames", 20)
    log.landed("a", "tracks", "shards/a/0", {"frames": 30, "seconds": 1.23456789, "node": "n"})
    log.retried("a", "tracks", "its worker died")
    log.epoch("a", 1, 0, 0.5)
    log.failed("b", "probe", "b.mp4 ist zerstört")
    log.say("Grüße")
    log.close()
    lines = _lines(tmp_path)
    assert [line["event"] for line in lines] == ["moved", "start", "landed", "retried", "epoch", "failed", "say"]
    assert {line["run"] for line in lines} == {_RUN[:8]}
    assert all(str(line["time"]).endswith("+00:00") for line in lines)
    landed = {name: lines[2][name] for name in ("title", "stage", "step", "frames", "seconds", "node")}
    assert landed == {
        "title": "a",
        "stage": "tracks",
        "step": "shards/a/0",
        "frames": 30,
        "seconds": 1.234568,
        "node": "n",
    }
    assert lines[5]["error"] == "b.mp4 ist zerstört"


def test_the_log_is_there_while_the_run_goes_on(tmp_path: Path) -> None:
    log = EventLog(Store(tmp_path), _RUN, every_s=0.05)
    try:
        log.start("a", "tracks", 50, "frames")
        until = time.monotonic() + 10
        while not _lines(tmp_path) and time.monotonic() < until:
            time.sleep(0.05)
        assert [line["event"] for line in _lines(tmp_path)] == ["start"]
    finally:
        log.close()


def test_nothing_is_left_by_a_run_without_work(tmp_path: Path) -> None:
    log = EventLog(Store(tmp_path), _RUN)
    log.moved("a", "done")
    log.close()
    assert not list(tmp_path.iterdir())


def test_parts_are_bounded_and_the_last_line_says_so(tmp_path: Path) -> None:
    log = EventLog(Store(tmp_path), _RUN, part_bytes=1000, most_parts=3)
    for number in range(100):
        log.epoch("a", 1, number, 0.5)
    log.close()
    parts = sorted(tmp_path.glob("logs/*.jsonl"))
    assert [path.name.split(".")[1] for path in parts] == ["000", "001", "002"]
    assert all(path.stat().st_size < 1300 for path in parts)
    lines = _lines(tmp_path)
    assert [line["epoch"] for line in lines[:-1]] == list(range(len(lines) - 1))
    assert lines[-1]["event"] == "full"


def test_only_the_last_runs_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for day in (1, 2, 3):
        for part in (0, 1):
            store.write_bytes(f"logs/2020010{day}T000000Z-aaaaaaaa.00{part}.jsonl", b"")
    log = EventLog(store, _RUN, runs_kept=2)
    log.epoch("a", 1, 0, 0.5)
    log.close()
    assert [key.rpartition("/")[2][:8] for key in store.keys("logs/")][:2] == ["20200103", "20200103"]
    assert len(store.keys("logs/")) == 3


def test_a_place_that_cannot_be_written_does_not_stop_a_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Full(Store):
        def write_bytes(self, key: str, content: bytes) -> None:
            raise OutputError("no space left")

    log = EventLog(Full(tmp_path), _RUN)
    log.epoch("a", 1, 0, 0.5)
    log.close()
    assert "no space left" in caplog.text
