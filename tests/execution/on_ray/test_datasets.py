"""Tasks on Ray: a worker that dies costs its task and no other."""

import json
import os
import threading
from pathlib import Path
from typing import Any

from vcn_ray.errors import InputError
from vcn_ray.execution.on_ray.datasets import run_on_ray


def _row(folder: Path, number: int) -> dict[str, Any]:
    return {
        "work": str(folder),
        "title": "t",
        "step": f"shards/{number}",
        "what": f"a.mp4, piece {number}",
        "number": number,
    }


def test_on_ray_a_dying_worker_costs_its_piece_alone(tmp_path: Path, ray_cluster: None) -> None:
    def step(row: dict[str, Any]) -> dict[str, Any]:
        number = row["number"]
        if number == 2 or (number == 3 and not (tmp_path / "died").exists()):
            (tmp_path / "died").touch()
            os._exit(1)
        if number == 4:
            raise InputError("piece 4 is damaged")
        return {"square": number**2}

    threads = threading.active_count()
    landed = {row["step"]: row for row in run_on_ray([_row(tmp_path, n) for n in range(6)], step, "run", "pieces")}
    assert threading.active_count() <= threads, "a Dataset that is over leaves a thread behind"
    assert len(landed) == 6
    done = {key: json.loads(row["stats"])["square"] for key, row in landed.items() if not row["error"]}
    expected = {f"shards/{n}": n**2 for n in (0, 1, 3, 5)}
    assert "died 2 times" in landed["shards/2"]["error"]
    assert landed["shards/4"]["error"] == "piece 4 is damaged"
    assert done == expected
