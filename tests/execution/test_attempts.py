"""Pieces of work: attempts, deaths, errors. On Ray: a worker that dies costs its piece and no other.

- An error is a row that names the piece; the traceback is kept where it is no fault of the user.
- The third attempt at a piece that killed its worker twice gives up.
- Attempts of an earlier run, and on machines that are gone, do not count.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from vcn_ray.errors import InputError
from vcn_ray.execution.attempts import attempt, run_here, run_on_ray
from vcn_ray.storage.store import Store


def _row(folder: Path, number: int = 0) -> dict[str, Any]:
    return {
        "work": str(folder),
        "title": "t",
        "step": f"shards/{number}",
        "what": f"a.mp4, piece {number}",
        "number": number,
    }


def _square(row: dict[str, Any]) -> dict[str, Any]:
    return {"square": row["number"] ** 2}


def _killed(folder: Path, nodes: list[str], run_id: str = "run") -> None:
    Store(folder).write_json("shards/0.attempts.json", {"run": run_id, "nodes": nodes})


def _here(look: bool) -> tuple[str, set[str]]:
    return "n1", {"n1", "n2"}


def test_piece_gives_its_numbers_and_leaves_no_record(tmp_path: Path) -> None:
    row = attempt(_square, _row(tmp_path, 3), "run", _here)
    assert (row["error"], json.loads(row["stats"])) == ("", {"square": 9})
    assert Store(tmp_path).keys() == []


def test_attempt_is_on_record_before_the_work_starts(tmp_path: Path) -> None:
    def step(row: dict[str, Any]) -> dict[str, Any]:
        return Store(tmp_path).read_json("shards/0.attempts.json")

    assert json.loads(attempt(step, _row(tmp_path), "run", _here)["stats"]) == {"run": "run", "nodes": ["n1"]}


@pytest.mark.parametrize(("error", "traced"), [(InputError("a.mp4 is damaged; copy it"), False), (KeyError("x"), True)])
def test_error_is_a_row(tmp_path: Path, error: Exception, traced: bool) -> None:
    def step(row: dict[str, Any]) -> dict[str, Any]:
        raise error

    row = attempt(step, _row(tmp_path), "run", _here)
    assert "a.mp4" in row["error"]
    assert bool(row["traceback"]) == traced


def test_third_attempt_gives_up(tmp_path: Path) -> None:
    _killed(tmp_path, ["n1", "n2"])
    assert "a.mp4, piece 0: its worker died 2 times" in attempt(_square, _row(tmp_path), "run", _here)["error"]


@pytest.mark.parametrize(
    ("nodes", "run_id"), [(["n1"], "run"), (["n1", "lost", "lost"], "run"), (["n1", "n1"], "earlier run")]
)
def test_other_runs_and_lost_machines_do_not_count(tmp_path: Path, nodes: list[str], run_id: str) -> None:
    _killed(tmp_path, nodes, run_id)
    assert attempt(_square, _row(tmp_path), "run", _here)["error"] == ""


def test_here_every_piece_is_done_once_in_order(tmp_path: Path) -> None:
    rows = list(run_here([_row(tmp_path, n) for n in range(5)], _square, "run"))
    assert [json.loads(row["stats"])["square"] for row in rows] == [0, 1, 4, 9, 16]


def test_on_ray_a_dying_worker_costs_its_piece_alone(tmp_path: Path, ray_cluster: None) -> None:
    def step(row: dict[str, Any]) -> dict[str, Any]:
        number = row["number"]
        if number == 2 or (number == 3 and not (tmp_path / "died").exists()):
            (tmp_path / "died").touch()
            os._exit(1)
        if number == 4:
            raise InputError("piece 4 is damaged")
        return {"square": number**2}

    landed = {row["step"]: row for row in run_on_ray([_row(tmp_path, n) for n in range(6)], step, "run", "pieces")}
    assert len(landed) == 6
    done = {key: json.loads(row["stats"])["square"] for key, row in landed.items() if not row["error"]}
    expected = {f"shards/{n}": n**2 for n in (0, 1, 3, 5)}
    assert "died 2 times" in landed["shards/2"]["error"]
    assert landed["shards/4"]["error"] == "piece 4 is damaged"
    assert done == expected
