"""What is printed: titles as they are called, every option, every pack with its licence."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import cli, complaints, write_video

from vcn_ray.cli.printing import print_plan
from vcn_ray.config import option_names
from vcn_ray.season.dry_run import STAGES, Plan, PlanRow


def test_titles_that_look_like_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    videos = [write_video(tmp_path / name) for name in ("Show [x265].mp4", "x [b] :smile:.mp4")]
    result = cli("run", *videos, "--out", tmp_path / "[out]", "--local")
    assert result.exit_code == 1
    assert "Show [x265]" in result.stdout
    assert "x [b] :smile:" in result.stdout
    result = cli("run", *videos, "--title", "x [/b]", "--out", tmp_path / "out", "--local")
    assert result.exit_code == 1
    assert "x [/b]" in result.stdout
    assert len(complaints(result)) == 1


def test_config_prints_every_option_with_its_reason() -> None:
    output = cli("config").output
    assert all(name in output for name in option_names())


def test_models_lists_packs_with_licences() -> None:
    result = cli("models", "--verify")
    assert result.exit_code == 0
    assert "opencv-zoo" in result.output
    assert "verified" in result.output
    assert "non-commercial" in result.output


def test_a_plan_says_that_corrections_will_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    for corrected in (False, True):
        print_plan(Plan([PlanRow("e1", stage, 1, 1) for stage in STAGES], corrected=corrected))
        said = capsys.readouterr().out
        assert "1 of 1 titles are done" in said
        assert ("corrections have changed: tables, pages and cast will be written anew" in said) is corrected
