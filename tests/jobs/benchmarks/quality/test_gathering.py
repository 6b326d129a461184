"""What the command measures of small and joined titles: nothing twice, and with which calibration."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from jobs.benchmarks.__main__ import main
from jobs.benchmarks.quality.bench import Bench, local_bench
from jobs.benchmarks.quality.command import Request, quality
from jobs.benchmarks.quality.folds import make_folds
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.seasons import Extracted
from jobs.benchmarks.quality.gathering import plan_joins
from jobs.benchmarks.quality.held_out_calibration import labelled_pairs
from vcn_ray.cluster.calibrating import LabelledPairs
from vcn_ray.config import Options, RunOptions
from vcn_ray.errors import OptionError
from vcn_ray.evaluate.baselines.problem import Baseline

Row = dict[str, Any]


@pytest.fixture
def seasons(tmp_path: Path, title: Extracted) -> list[str]:
    """The tiny title's season under three names."""
    for name in ("other", "third"):
        shutil.copytree(tmp_path / "tiny", tmp_path / name)
    return [str(tmp_path / name) for name in ("tiny", "other", "third")]


@pytest.fixture
def counting(bench: Bench) -> tuple[Bench, list[str]]:
    """A bench with one baseline that finds more pairs than the tiny title has, and the trials that it has measured."""
    measured: list[str] = []

    def spread(work: Callable[[Any], Any], jobs: Sequence[Any], what: str) -> list[Any]:
        measured.extend(map(str, jobs))
        return [work(job) for job in jobs]

    def twice(case: Case, options: Options) -> LabelledPairs:
        found = labelled_pairs(case, options)
        return LabelledPairs(*(np.tile(getattr(found, name), 2) for name in ("cosine", "clarity", "same")))

    steady = Baseline("steady", "made up", lambda faces, seed: lambda: np.arange(faces.tracks) % 3, ({},))
    methods = replace(bench.methods, baselines=lambda threshold: [steady])
    return replace(bench, methods=methods, spread=spread, pairs=twice), measured


def measured_rows(folder: Path) -> list[Row]:
    return pq.read_table(folder / "quality.parquet").to_pylist()


def test_small_and_joined_titles_are_measured_once_each(
    seasons: list[str], tmp_path: Path, counting: tuple[Bench, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    bench, measured = counting
    asked = Request(
        seasons, str(tmp_path), ["base model", "steady"], cases=("whole", "small titles"), join=["tiny, other"]
    )
    assert quality(asked, bench)
    assert len(measured) == 2 * 4  # two methods on three seasons and a join
    rows = measured_rows(tmp_path)
    assert sorted((row["kind"], row["season"]) for row in rows if row["method"] == "steady") == [
        ("long mixed", "joined 1"),
        *(("small titles", name) for name in ("other", "third", "tiny")),
        *(("whole", name) for name in ("other", "third", "tiny")),
    ]
    (joined,) = [row for row in rows if row["kind"] == "long mixed" and row["method"] == "steady"]
    assert (joined["tracks"], joined["case"]) == (24, "2 joined")
    assert joined["bcubed_p"] == pytest.approx(0.5)  # a name is two people in two seasons
    told = " ".join((tmp_path / "quality.md").read_text().split())
    assert "joined 1: tiny, other; its calibration: fitted to third." in told
    (own,) = [row["setting"] for row in rows if (row["kind"], row["method"]) == ("long mixed", "base model")]
    assert "typical_clarity" in own


def test_where_all_is_joined_the_calibration_is_the_built_in_one(
    seasons: list[str], tmp_path: Path, counting: tuple[Bench, list[str]]
) -> None:
    bench, measured = counting
    asked = Request(seasons, str(tmp_path), ["base model"], cases=["long mixed"], same_people=["tiny,other"])
    assert quality(asked, bench)
    assert len(measured) == 1
    (row,) = measured_rows(tmp_path)
    assert (row["tracks"], "calibration" in row["setting"]) == (36, False)
    assert "joined 1: tiny, other, third; its calibration: built-in" in (tmp_path / "quality.md").read_text()


def test_only_some_cases(seasons: list[str], tmp_path: Path, counting: tuple[Bench, list[str]]) -> None:
    bench, _ = counting
    line = ["quality", *seasons, "--folder", str(tmp_path), "--methods", "steady", "--cases", "whole", "one character"]
    main([*line, "--only", "third, one", "oth"], bench)
    assert {(row["season"], row["case"]) for row in measured_rows(tmp_path)} == {
        ("third", "one character"),
        ("other", "one character"),
        ("other", "whole"),
    }


def test_joins_by_name() -> None:
    folds = make_folds(["a", "b", "joined 1"])
    assert plan_joins([], ["whole"], folds) == {}
    assert plan_joins([], ["long mixed"], folds) == {"joined 2": ("a", "b", "joined 1")}
    named = {"joined 2": ("b", "a"), "joined 3": ("a", "joined 1")}
    assert plan_joins(["b,a", "a,joined 1"], ["long mixed"], folds) == named
    assert plan_joins([], ["long mixed"], make_folds(["a"])) == {}  # there is nothing to join
    with pytest.raises(OptionError, match=r"--join b: .*two"):
        plan_joins(["b"], ["long mixed"], folds)
    with pytest.raises(OptionError, match="--join a,bb: no season is called 'bb'; did you mean 'b'"):
        plan_joins(["a,bb"], ["long mixed"], folds)


def test_a_bench_without_ray_works_here_in_order() -> None:
    bench = local_bench()
    with bench.session(RunOptions()) as nothing:
        assert nothing is None
        assert list(bench.spread(lambda job: 10 * job, [1, 2], "numbers")) == [10, 20]
    assert isinstance(bench.session(RunOptions()), nullcontext)
