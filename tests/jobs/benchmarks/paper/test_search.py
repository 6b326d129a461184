"""The search for what the paper leaves open, on a tiny title."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.benchmarks.__main__ import main
from jobs.benchmarks.paper.search import COURSES, Trial, measure
from jobs.benchmarks.paper.settings import SETTINGS, choose_settings
from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.seasons import Extracted
from vcn_ray.config import make_options
from vcn_ray.errors import OptionError

SHORT = "first_epochs=2,later_epochs=1,min_batches_per_epoch=2,batch_pairs=8"


def test_every_setting_that_is_searched_is_one_of_the_paper_s_method() -> None:
    assert not SETTINGS["chosen"]
    for options in SETTINGS.values():
        assert make_options({"method": "paper", **options}).method == "paper"
    assert len({tuple(options.items()) for options in SETTINGS.values()}) == len(SETTINGS)


def test_settings_are_named_or_written() -> None:
    assert choose_settings([]) is SETTINGS
    found = choose_settings(["iBOT", "Überraschung:head_lr=1e-3,merging=evidence", "as it is:"])
    assert found["iBOT"] == SETTINGS["iBOT"]
    assert found["Überraschung"] == {"head_lr": "1e-3", "merging": "evidence"}
    assert found["as it is"] == {}
    for wrong, why in (("nobody", "no setting 'nobody'"), ("x:lr", "write it as"), ("x:lr=1", "unknown option 'lr'")):
        with pytest.raises(OptionError, match=why):
            choose_settings([wrong])


def test_seasons_are_measured_under_each_setting(title: Extracted, bench: Bench, tmp_path: Path, capsys) -> None:
    season = str(Path(title.footage.ground_truth).parent)
    settings = [f"one:{SHORT}", f"other:{SHORT},teacher_momentum=0"]
    where = ["--folder", str(tmp_path / "kept"), "--output", str(tmp_path / "answer")]
    main(["paper", season, *where, "--iterations", "2", "--settings", *settings], bench)
    table = pq.read_table(tmp_path / "answer.parquet")
    assert table.schema.equals(COURSES)
    rows = table.to_pylist()
    assert [(row["setting"], row["iteration"]) for row in rows] == [(s, n) for s in ("one", "other") for n in (1, 2)]
    assert all(0 <= row["wcp"] <= 1 and row["pcr"] > 0 and row["teacher_entropy"] >= 0 for row in rows)
    assert (
        rows[2]["options"]
        == f"batch_pairs=8, first_epochs=2, later_epochs=1, {SHORT.split(',')[2]}, teacher_momentum=0"
    )
    assert "| one |" in (tmp_path / "answer.md").read_text(encoding="utf-8")
    assert "method: paper, by setting" in capsys.readouterr().out


def test_what_fails_is_named_and_the_rest_goes_on(title: Extracted, bench: Bench, tmp_path: Path, capsys) -> None:
    broken = Case(replace(title, work=str(tmp_path / "nowhere")), "whole", "whole", False)
    assert isinstance(measure(Trial(broken, "x", (), 0), 1, bench.methods.models), str)
    gone = replace(bench, extract=lambda footage, options, folder: replace(title, work=str(tmp_path / "nowhere")))
    season = str(Path(title.footage.ground_truth).parent)
    with pytest.raises(SystemExit):
        main(["paper", season, "--folder", str(tmp_path / "kept"), "--settings", "chosen"], gone)
    assert "FAILED chosen on tiny" in capsys.readouterr().err
