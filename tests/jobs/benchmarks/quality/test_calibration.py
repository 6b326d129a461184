"""Calibrations of the bench: fitted to a season's own pairs, and never to the season that they are used on."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from support.tiny_title import TINY_MODELS, tiny_options

from jobs.benchmarks.__main__ import main
from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.folds import make_folds
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.seasons import Extracted, Footage, extraction_digest
from jobs.benchmarks.quality.held_out_calibration import fit_on_others, labelled_pairs
from jobs.benchmarks.quality.methods import Method
from vcn_ray.calibration import Calibration
from vcn_ray.cli.request import read_config
from vcn_ray.cluster.calibrating import LabelledPairs
from vcn_ray.cluster.clusterers.evidence_linkage import EvidenceClusterer
from vcn_ray.cluster.evidence import one_person, strangers
from vcn_ray.cluster.fusing import fuse
from vcn_ray.config import Options, make_options
from vcn_ray.errors import VcnError
from vcn_ray.models.loading import FaceModels
from vcn_ray.pipeline.adaptation_loop import LoopParts, adapt_and_cluster
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store

DEFAULT = Method("default", "product")


def drawn(same_mean: float, seed: int = 0) -> LabelledPairs:
    """Pairs of a season in which one person's tracks are so alike at typical clarity."""
    rng = np.random.default_rng(seed)
    truth = Calibration(same_mean=same_mean)
    clarity, same = rng.uniform(6, 14, 800), np.arange(800) < 400
    mean, std = (
        np.where(same, *both) for both in zip(one_person(clarity, truth), strangers(clarity, truth), strict=True)
    )
    return LabelledPairs(rng.normal(mean, std), clarity, same)


def case(season: str, degraded: str = "", **changes: Any) -> Case:
    of = Extracted(Footage(season, degraded, (), ""), "")
    return Case(of, degraded or "whole", degraded or "whole", **{"truth_tracks": False, **changes})


def fitted(means: dict[str, float], cases: list[Case], *same_people: str) -> tuple[dict[str, float], list[str]]:
    """One person's mean that each season is given, and what went wrong; means: of the footages' own pairs."""
    folds = make_folds([c.of.footage.season for c in cases], same_people)
    errors: list[str] = []
    by_extraction = {extraction_digest(DEFAULT.options(0)): cases}
    found = fit_on_others(
        [DEFAULT], by_extraction, folds, errors, lambda case, _: drawn(means[case.of.footage.name]), FaceModels()
    )
    return {season: calibration.same_mean for (_, _, season), calibration in found.items()}, errors


def test_a_season_gets_what_the_others_say() -> None:
    means = {"a": 0.3, "b": 0.5, "c": 0.5, "c, dark": 0.9}
    cases = [case("a"), case("b"), case("c")]
    found, errors = fitted(means, cases)
    assert found == pytest.approx({"a": 0.5, "b": 0.4, "c": 0.4}, abs=0.03)
    assert not errors
    with_copy, _ = fitted(means, [*cases, case("c", "dark")])
    assert with_copy["b"] > found["b"] + 0.05
    assert with_copy["c"] == found["c"]  # its own copy is left out with it
    subset, _ = fitted(means, [*cases, case("b", track_ids=(1, 2))])
    assert subset == found  # only whole cases are fitted to


def test_seasons_of_the_same_people_are_left_out_together() -> None:
    means = {"a": 0.3, "a small": 0.4, "b": 0.6}
    found, _ = fitted(means, [case("a"), case("a small"), case("b")], "a,a small")
    assert found == pytest.approx({"a": 0.6, "a small": 0.6, "b": 0.35}, abs=0.03)
    found, errors = fitted(means, [case("a"), case("a small")], "a,a small")
    assert found == {}
    assert len(errors) == 2
    assert "--calibration built-in" in errors[0]


def test_pairs_are_those_that_the_product_would_weigh(title: Extracted) -> None:
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def watched(values: Any, clarity: Any, evidence: Any, adapted: Any, linkable: Any) -> Any:
        seen.append((values[linkable], clarity[linkable]))
        return fuse(values, clarity, evidence, adapted, linkable)

    plain = {"stranger_mean": 0.0, "stranger_std": 1.0, "stranger_mean_rise": 0.0, "stranger_std_rise": 0.0}
    work = TitleWork(Store(title.work), tiny_options({"max_iterations": 1, "calibration": plain}), TINY_MODELS)
    parts = LoopParts(EvidenceClusterer(fuse=watched, least_separation=-np.inf))
    adapt_and_cluster(work, device="cpu", threads=1, on_event=lambda _: None, parts=parts)
    found = labelled_pairs(Case(title, "whole", "whole", truth_tracks=False), work.options)
    assert (len(found.same), int(found.same.sum())) == (66, 18)  # twelve tracks of three people
    (values, clarity), *_ = seen
    assert len(values) == 65  # one pair is seen together
    assert set(np.round(values, 9)) <= set(np.round(found.cosine, 9))
    assert set(np.round(clarity, 9)) <= set(np.round(found.clarity, 9))


def test_the_bench_runs_the_product_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], bench: Bench) -> None:
    def twice(case: Case, options: Options) -> LabelledPairs:
        found = labelled_pairs(case, options)  # of one person: 18 pairs, too few to fit to
        return LabelledPairs(*(np.tile(getattr(found, name), 2) for name in ("cosine", "clarity", "same")))

    bench = replace(bench, pairs=twice)
    shutil.copytree(tmp_path / "tiny", tmp_path / "other")
    line = ["quality", str(tmp_path / "tiny"), str(tmp_path / "other"), "--folder", str(tmp_path), "--methods"]
    main([*line, "base model"], bench)
    rows = pq.read_table(tmp_path / "quality.parquet").to_pylist()
    settings = [row["setting"].partition("calibration=")[2] for row in rows]
    assert all(json.loads(text)["typical_clarity"] != 10.0 for text in settings)
    assert "fitted to the other seasons (leave one season out)" in capsys.readouterr().out
    for given, says in (
        (["--calibration", "built-in"], "calibration: built-in"),
        (["--set", 'calibration={"same_mean": 0.7}'], "calibration: as given by --set"),
    ):
        main([*line, "base model", *given], bench)
        assert says in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main([*line, "base model", "--same-people", "tiny,other"], bench)
    assert ended.value.code == 1
    assert "no season of other people" in capsys.readouterr().err


@pytest.fixture
def seasons(tmp_path: Path) -> list[str]:
    """Two seasons with nothing in them."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "v.mp4").write_text("")
        (tmp_path / name / "ground_truth.csv").write_text("")
    return [str(tmp_path / "a"), str(tmp_path / "b")]


def bench_of_drawn_pairs(extract: Callable[[Footage, Options, str], Extracted]) -> Bench:
    """A bench without Ray that sees pairs drawn about a mean of 0.5 in whatever is extracted."""
    return Bench(
        session=lambda _: nullcontext(),
        spread=lambda work, jobs, _: [work(job) for job in jobs],
        extract=extract,
        pairs=lambda *_: drawn(0.5),
    )


def test_what_the_command_prints_goes_into_an_options_file(
    seasons: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = bench_of_drawn_pairs(lambda footage, *_: Extracted(footage, ""))
    main(["calibration", *seasons, "--folder", str(tmp_path)], bench)
    said = capsys.readouterr()
    (tmp_path / "options.yaml").write_text(said.out)
    found = make_options(read_config(tmp_path / "options.yaml")).cluster.calibration
    assert found is not None
    assert found.same_mean == pytest.approx(0.5, abs=0.02)
    assert found.typical_clarity == 10.0  # SFace's stays
    assert said.out.startswith("# Fitted to: a; b\n")
    assert "one person" in said.err
    assert "strangers" in said.err


def test_the_command_names_what_it_cannot_use(
    seasons: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def extract(footage: Footage, options: Any, folder: str) -> Extracted:
        if footage.season == "b":
            raise VcnError("b: no face was found")
        return Extracted(footage, "")

    bench = bench_of_drawn_pairs(extract)
    for line, code, says in (
        (seasons, 1, "b: no face was found"),
        (seasons[1:], 2, "needs a labelled season with 20 pairs"),
        ([*seasons, "--degraded", "bluer"], 2, "no kind of copy 'bluer'"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["calibration", *line, "--folder", str(tmp_path)], bench)
        assert ended.value.code == code
        said = capsys.readouterr()
        assert says in said.err
    assert yaml.safe_load(said.out) is None
