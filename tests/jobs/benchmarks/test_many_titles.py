"""Many small titles beside the sum of their work: what is printed, and that copies which differ are seen."""

from pathlib import Path

import pytest

from jobs.benchmarks.many_titles import different_copies, show


def test_wall_time_is_held_against_the_work_over_the_cpus(capsys: pytest.CaptureFixture[str]) -> None:
    stages = {"tracks": {"steps": 40, "cpu_s": 160.0}, "adapt": {"steps": 40, "cpu_s": 240.0}}
    show({"stages": stages, "reserved": {"steps": 80, "cpu_s": 400.0, "retries": 3}}, 250.0, 40, 2)
    said = capsys.readouterr().out
    assert "40 titles in 250.0 s, 6.2 s each" in said
    assert "200.0 s: 1.25 times that; 3 retries" in said


def test_copies_that_differ_are_counted(tmp_path: Path) -> None:
    for number, content in enumerate([b"a", b"b", b"a", b"other", None]):
        step = tmp_path / "titles" / f"c{number:03d}" / "work" / "adapt" / "00"
        step.mkdir(parents=True)
        if content is not None:
            (step / "clustering.json").write_bytes(content)
    assert different_copies(tmp_path, 3, 2) == 0
    assert different_copies(tmp_path, 4, 2) == 1
    assert different_copies(tmp_path, 5, 2) == 2, "one without clusters differs, too"
