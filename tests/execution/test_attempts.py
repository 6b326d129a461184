"""Attempts at a task: deaths, errors.

- An error is a row that names the task; the traceback is kept where it is no fault of the user.
- The third attempt at a task that killed its worker twice gives up.
- Attempts of an earlier run, and on machines that are gone, do not count.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from vcn_ray.errors import InputError
from vcn_ray.execution.attempts import attempt, run_here
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
