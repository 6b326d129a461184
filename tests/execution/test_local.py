"""A season in this process: all of its work goes through the executor that it is given, and only what is missing."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.counting_stages import CountingStages, video

from vcn_ray.config import make_options
from vcn_ray.execution.local import LocalExecutor, device_here
from vcn_ray.inputs.resolve import find_season
from vcn_ray.season.run import run_season
from vcn_ray.storage.store import Store


class Counting(LocalExecutor):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def start(self, *, extracting: bool) -> None:
        self.asked[f"start, extracting {extracting}"] += 1
        super().start(extracting=extracting)

    def probe(self, rows: Any) -> Any:
        self.asked["probe"] += len(rows)
        return super().probe(rows)

    def extract(self, rows: Any, *rest: Any) -> Any:
        self.asked["extract"] += len(rows)
        return super().extract(rows, *rest)

    def assemble(self, row: Any) -> Any:
        self.asked["assemble"] += 1
        return super().assemble(row)

    def views(self, state: Any) -> Any:
        self.asked["views"] += 1
        return super().views(state)

    def adapt(self, state: Any, cpus: int) -> Any:
        self.asked["adapt"] += 1
        return super().adapt(state, cpus)

    def finish(self, row: Any) -> Any:
        self.asked["finish"] += 1
        return super().finish(row)


def test_a_season_s_work_goes_through_the_executor(tmp_path: Path) -> None:
    video(tmp_path / "videos", "a.mp4", range(1, 51))
    video(tmp_path / "videos", "b.mp4", range(101, 131))
    season, stages = find_season([tmp_path / "videos"]), CountingStages(tmp_path / "calls")

    def asked(**settings: Any) -> dict[str, int]:
        executor = Counting()
        options = make_options(settings)
        assert not run_season(season, Store(tmp_path / "out"), options, executor=executor, stages=stages).failed
        return dict(executor.asked)

    every_title = {"assemble": 2, "views": 2, "adapt": 2, "finish": 2}
    assert asked() == {"probe": 2, "start, extracting True": 1, "extract": 5} | every_title
    assert asked() == {}
    changed = asked(seed=1)
    assert changed == {"start, extracting False": 1, "views": 2, "adapt": 2, "finish": 2}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_device_that_is_named_is_taken(device: str) -> None:
    assert device_here(make_options({"device": device}).run) == device
