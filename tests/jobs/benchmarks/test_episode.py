"""What the stages of a run took is told from its own summary and log."""

import json
from pathlib import Path

import pytest

from jobs.benchmarks.episode import episode, landed_in, stages_of
from vcn_ray.errors import InputError


def test_stages_stand_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    events = [
        {"event": "start", "stage": "views"},
        {"event": "landed", "stage": "views", "started": 130.0, "ended": 150.0},
        {"event": "landed", "stage": "tracks", "started": 110.0, "ended": 130.0},
        {"event": "landed", "stage": "tracks", "started": 105.0, "ended": 140.0},
    ]
    (tmp_path / "logs").mkdir()
    for part, some in enumerate((events[:2], events[2:])):
        (tmp_path / "logs" / f"a.{part:03}.jsonl").write_text("".join(json.dumps(event) + "\n" for event in some))
    summary = {"stages": {"views": {"wall_s": 20.0, "cpu_s": 40.0}, "tracks": {"wall_s": 35.0, "cpu_s": 55.0}}}
    found = stages_of(summary, landed_in(tmp_path), 100.0)
    assert [(took.stage, took.first_s, took.last_s, took.wall_s, took.cpu_s) for took in found] == [
        ("tracks", 5.0, 40.0, 35.0, 55.0),
        ("views", 30.0, 50.0, 20.0, 40.0),
    ]


def test_results_that_are_there_already_are_not_measured(tmp_path: Path) -> None:
    (tmp_path / "episode-0-2cpus").mkdir()
    with pytest.raises(InputError, match="name a new folder"):
        episode("a.mp4", [2], [], str(tmp_path))
