"""What the chaos job compares, counts and kills."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.benchmarks.chaos import __main__ as chaos
from jobs.benchmarks.chaos import evidence, victims
from jobs.benchmarks.chaos.evidence import Marker
from vcn_ray.storage.store import Store


def delivered_by(out: Path, faces: bytes) -> dict[str, str]:
    store = Store(out)
    store.write_bytes("titles/a/faces.parquet", faces)
    store.write_bytes("titles/a/work/tracks/faces.parquet", b"not delivered")
    store.write_bytes("titles/a/report.html", b"has times in it")
    store.write_bytes("faces.csv", b"x")
    return evidence.delivered(out)


def test_tables_are_compared_by_content(tmp_path: Path) -> None:
    first, same, other = (delivered_by(tmp_path / n, c) for n, c in (("1", b"x"), ("2", b"x"), ("3", b"y")))
    assert set(first) == {"titles/a/faces.parquet", "faces.csv"}
    assert evidence.differing(first, same) == []
    assert evidence.differing(first, other) == ["titles/a/faces.parquet"]


def test_a_missing_and_a_new_table_differ() -> None:
    assert evidence.differing({"a": "1", "b": "2"}, {"b": "2", "c": "3"}) == ["a", "c"]


def test_steps_done_again_are_those_rewritten_for_the_same_inputs() -> None:
    before = {"kept": Marker("d", 1), "again": Marker("d", 1), "other inputs": Marker("d", 1), "gone": Marker("d", 1)}
    end = {"kept": Marker("d", 1), "again": Marker("d", 2), "other inputs": Marker("e", 2), "in flight": Marker("d", 2)}
    assert evidence.repeated([{}, before], end) == {"again"}


def test_markers_are_read_from_the_titles(tmp_path: Path) -> None:
    work = Store(tmp_path / "titles" / "a" / "work")
    work.mark_done("shards/v/0", "inputs")
    work.write_bytes("half.done.json", b"{")
    assert {key: marker.digest for key, marker in evidence.markers(tmp_path).items()} == {
        "titles/a/work/shards/v/0.done.json": "inputs"
    }


def test_stages_under_way_are_read_from_the_lines() -> None:
    log = "starting Ray\na: tracks begins (10 frames)\nb: tracks begins (10 frames)\na: tracks done in 1.0 s\n"
    assert evidence.stages_under_way("starting Ray\n") == ["start"]
    assert evidence.stages_under_way(log) == ["tracks"]
    assert evidence.stages_under_way(log + "a: adapt begins (30 epochs)\n") == ["adapt", "tracks"]
    assert evidence.stages_under_way("a: tracks begins (1 frames)\na: tracks done in 1.0 s\n") == ["between"]


def test_only_own_children_can_be_killed() -> None:
    with pytest.raises(ValueError, match="not below"):
        victims.kill(1)


def test_a_killed_family_is_cleared_away() -> None:
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    parent = subprocess.Popen([sys.executable, "-c", code + "print('up', flush=True); time.sleep(60)"], stdout=-1)  # noqa: S603
    assert parent.stdout is not None
    parent.stdout.readline()
    family = victims.family(parent.pid)
    assert len(family) == 2
    assert victims.kill(parent.pid)
    parent.wait()
    assert victims.clear_away(family, patience_s=0.5) == 1
    assert victims.clear_away(family, patience_s=0.5) == 0
    parent.stdout.close()


class Place:
    name, kinds, arguments = "nowhere", ("driver",), ()

    def strike(self, kind: str, driver: int, rng: random.Random) -> str:
        return "the command"


def commands(codes: list[int | None]) -> type:
    """Commands that end as given, one code a question; None: still running."""

    class Command:
        pid = 1

        def __init__(self, *_: object):
            """Takes what comes next of the codes."""

        def wait(self, timeout_s: float) -> int | None:
            return codes.pop(0)

        def said(self) -> str:
            return "a: tracks begins (1 frames)"

    return Command


def disturb(folder: Path, most_kills: int, codes: list[int | None]) -> chaos.Run:
    return chaos.disturbed_run(
        Place(),
        ["v"],
        folder,
        [],
        random.Random(0),
        most_kills=most_kills,
        mean_wait_s=1.0,
        start_command=commands(codes),
        family_of=lambda pid: {},
        pause_s=0.0,
    )


def test_a_killed_command_is_given_again(tmp_path: Path) -> None:
    run = disturb(tmp_path, 2, [None, -9, None, -9, 0])
    assert run.exit_codes == [-9, -9, 0]
    assert [(kill.kind, kill.stages) for kill in run.kills] == [("driver", ["tracks"])] * 2
    assert run.recovered


def test_a_command_that_always_fails_is_given_up(tmp_path: Path) -> None:
    run = disturb(tmp_path, 1, [None, -9] + [3] * 50)
    assert not run.recovered
    assert run.exit_codes == [-9] + [3] * chaos._MOST_FAILURES


def test_command_line_wants_videos_or_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert chaos.parser().parse_args(["v.mp4", "--kills", "5"]).kills == 5
    for arguments in ([], ["v.mp4", "--demo"]):
        with pytest.raises(SystemExit):
            chaos.main(arguments)
        assert "name videos, or give --demo" in capsys.readouterr().err
