"""What the bench's command says and where it writes, beside its tables."""

import shutil
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs.benchmarks import progress
from jobs.benchmarks.__main__ import main
from jobs.benchmarks.quality.ablations import ABLATIONS
from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.command import Request, quality
from jobs.benchmarks.quality.methods import KnownMethods
from vcn_ray.config import RunOptions
from vcn_ray.errors import OptionError
from vcn_ray.evaluate.baselines.problem import Baseline


@pytest.fixture
def one_method(bench: Bench) -> Bench:
    """A bench with but one baseline: everyone is one person."""
    steady = Baseline("steady", "made up", lambda faces, seed: lambda: np.zeros(faces.tracks, np.int64), ({},))
    return replace(bench, methods=replace(bench.methods, baselines=lambda threshold: [steady]))


def test_which_seasons_were_taken_for_other_people_is_always_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], one_method: Bench
) -> None:
    shutil.copytree(tmp_path / "tiny", tmp_path / "small")
    seasons = [str(tmp_path / name) for name in ("tiny", "small")]
    assert quality(Request(seasons, str(tmp_path), ["steady"]), one_method)
    told = capsys.readouterr()
    assert "Taken for different people, learning from one another: tiny; small." in told.out
    assert "--same-people tiny,small" in told.err
    assert "tracks and views of small (2 of 2)" in told.err
    assert "tiny; small" in (tmp_path / "quality.md").read_text()  # also without --output
    assert quality(Request(seasons, str(tmp_path), ["steady"], same_people=["tiny,small"]), one_method)
    told = capsys.readouterr()
    assert "left out together: small, tiny" in told.out
    assert "--same-people" not in told.err


@pytest.mark.parametrize(
    ("given", "name"), [("run0.5", "run0.5"), ("v1.2.csv", "v1.2"), ("run.md", "run"), ("run.2024", "run.2024")]
)
def test_only_an_ending_of_its_own_is_taken_from_the_output_s_name(
    tmp_path: Path, given: str, name: str, one_method: Bench
) -> None:
    output = str(tmp_path / "new" / given)
    assert quality(Request([str(tmp_path / "tiny")], str(tmp_path), ["steady"], output=output), one_method)
    endings = ("-confidence.parquet", ".csv", ".md", ".parquet")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [name + ending for ending in endings]


@pytest.mark.parametrize(
    ("folder", "output", "says"),
    [
        ("taken", None, "--folder: .*taken"),
        ("cache", "taken/run", "--output: .*taken"),
        ("cache", "full/run", r"--output: .*run\.csv"),
        ("full", None, r"--folder: .*quality\.md"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_any_work(
    tmp_path: Path, folder: str, output: str | None, says: str, bench: Bench
) -> None:
    def start(options: RunOptions) -> AbstractContextManager[None]:
        pytest.fail("something was started")

    (tmp_path / "taken").write_text("a file")
    for name in ("run.csv", "quality.md"):
        (tmp_path / "full" / name).mkdir(parents=True)
    asked = Request([str(tmp_path / "tiny")], str(tmp_path / folder), output=output and str(tmp_path / output))
    with pytest.raises(OptionError, match=says):
        quality(asked, replace(bench, session=start))


def test_the_other_commands_look_at_their_folder_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SystemExit) as ended:
        main(["calibration", str(tmp_path), "--folder", str(tmp_path / "taken")])
    assert ended.value.code == 2
    assert "--folder: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ([":max_iterations=1"], "'' cannot be its name"),
        (["default:max_iterations=1"], "'default' cannot be its name"),
        (["FINCH:max_iterations=1"], "'FINCH' cannot be its name"),
        ([f"{next(iter(ABLATIONS))}:max_iterations=1"], "cannot be its name"),
        (["ablations:max_iterations=1"], "cannot be its name"),
        (["x:max_iterations=1", "x:max_iterations=2"], "'x' cannot be its name"),
        (["x:foo=1"], "--methods x:foo=1: .*foo"),
        (["x:max_iterations=many"], "--methods x:max_iterations=many: .*max_iterations"),
        (["x:merging=glue"], "--methods x:merging=glue: .*evidence, literal, .*finch"),
    ],
)
def test_a_method_of_one_s_own_needs_a_name_and_options_of_the_product(
    wanted: list[str], says: str, known: KnownMethods
) -> None:
    with pytest.raises(OptionError, match=says):
        known.choose(wanted, {})


def test_without_a_terminal_a_line_now_and_then_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = iter(range(0, 1000, 25))  # seconds, a look each
    with progress.counted("trials", 8, lambda: next(clock)) as advance:
        for _ in range(8):
            advance()
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == "trials: 8 of 8"
    assert 2 <= len(told) < 8
