"""What the bench's command says and where it writes, beside its tables."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from benchmarks.quality import methods
from benchmarks.quality.command import Request, quality

from vcn_ray.evaluate.baselines.problem import Baseline


@pytest.fixture
def one_method(in_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is but one baseline: everyone is one person."""
    steady = Baseline("steady", "made up", lambda faces, seed: lambda: np.zeros(faces.tracks, np.int64), ({},))
    monkeypatch.setattr(methods, "baselines", lambda threshold: [steady])


@pytest.mark.usefixtures("one_method")
def test_which_seasons_were_taken_for_other_people_is_always_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tmp_path / "tiny", tmp_path / "small")
    seasons = [str(tmp_path / name) for name in ("tiny", "small")]
    assert quality(Request(seasons, str(tmp_path), ["steady"]))
    told = capsys.readouterr()
    assert "Taken for different people, learning from one another: tiny; small." in told.out
    assert "--same-people tiny,small" in told.err
    assert "tiny; small" in (tmp_path / "quality.md").read_text()  # also without --output
    assert quality(Request(seasons, str(tmp_path), ["steady"], same_people=["tiny,small"]))
    told = capsys.readouterr()
    assert "left out together: small, tiny" in told.out
    assert "--same-people" not in told.err


@pytest.mark.parametrize(
    ("given", "name"), [("run0.5", "run0.5"), ("v1.2.csv", "v1.2"), ("run.md", "run"), ("run.2024", "run.2024")]
)
@pytest.mark.usefixtures("one_method")
def test_only_an_ending_of_its_own_is_taken_from_the_output_s_name(tmp_path: Path, given: str, name: str) -> None:
    assert quality(Request([str(tmp_path / "tiny")], str(tmp_path), ["steady"], output=str(tmp_path / "new" / given)))
    endings = ("-confidence.parquet", ".csv", ".md", ".parquet")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [name + ending for ending in endings]
