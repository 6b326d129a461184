"""What is imported as `vcn_ray`: light, typed, and what docs/python.md shows of it runs."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command_line import write_season_file, write_video
from support.correctable_season import write_correctable_season
from support.finished_season import labels_csv, write_finished_season

import vcn_ray
from vcn_ray.config import make_options
from vcn_ray.errors import InputError, OptionError
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.monitoring.status import StatusFile
from vcn_ray.storage.store import Store

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two videos, labels, and a finished season."""
    folder = tmp_path_factory.mktemp("notebook")
    out = Store(folder / "season1")
    write_finished_season(out)
    write_correctable_season(Store(folder / "s01"))
    status = StatusFile(out)
    status.moved("s01e01", "done")
    status.close("finished")
    for name in ("s01e01.mp4", "s01e02.mp4"):
        write_video(folder / name)
    (folder / "labels.csv").write_text(labels_csv())
    return folder


@pytest.fixture
def folder(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as working directory."""
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What runs were asked for; none is done."""
    calls: list[dict[str, Any]] = []

    def run_season(season: Any, out: Store, options: Any, **more: Any) -> None:
        calls.append({"titles": [title.id for title in season.titles], "out": out, "options": options, **more})

    monkeypatch.setattr("vcn_ray.season.run.run_season", run_season)
    return calls


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_block_of_the_page_runs(block: str, folder: Path, asked: list[dict[str, Any]]) -> None:
    exec(compile(block, "docs/python.md", "exec"), {})  # noqa: S102 (our own page)
    assert len(asked) == block.count("vcn_ray.run(")


def test_page_shows_the_whole_interface() -> None:
    text = "\n".join(BLOCKS)
    for name in (
        "run(",
        "load(",
        "plan(",
        "status(",
        ".cast",
        ".appearances()",
        ".crops(",
        ".timeline()",
        ".evaluate(",
        ".export(",
        ".correct(",
        ".apply(",
    ):
        assert name in text


def test_run_gives_the_season_that_it_was_asked_for(folder: Path, asked: list[dict[str, Any]]) -> None:
    season = vcn_ray.run("s01e01.mp4", "season1", title="One", options={"seed": 3}, from_s=1, local=True)
    assert isinstance(season, vcn_ray.SeasonResult)
    (call,) = asked
    assert (call["titles"], call["options"].seed, call["part"].from_s) == (["One"], 3, 1)
    assert isinstance(call["executor"], LocalExecutor)


def test_who_does_the_work_is_said_once_and_by_a_name_that_there_is(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no executor is called 'slurm'; there are: ray, local"):
        vcn_ray.run("s01e01.mp4", tmp_path / "out", executor="slurm")
    with pytest.raises(OptionError, match="give one"):
        vcn_ray.run("s01e01.mp4", tmp_path / "out", local=True, executor="ray")
    with pytest.raises(OptionError, match="'merging'"):
        vcn_ray.plan("s01e01.mp4", tmp_path / "out", options={"merging": "glue"})
    assert not (tmp_path / "out").exists()


def test_plan_tells_what_would_run_and_writes_nothing(folder: Path) -> None:
    plan = vcn_ray.plan(["s01e01.mp4", "s01e02.mp4"], "season2", to_s=1.0)
    assert {(row["title"], row["state"]) for row in plan.table() if row["stage"] == "results"} == {
        ("s01e01", "to do 1 of 1"),
        ("s01e02", "to do 1 of 1"),
    }
    assert not (folder / "season2").exists()


def test_plan_goes_by_the_options_of_a_season_file(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "season.yaml"
    file.write_text(f"options: {{seed: 2}}\ntitles: [{{video: {folder / 's01e01.mp4'}, title: One}}]")
    assert {row.title for row in vcn_ray.plan(file, tmp_path / "out").rows} == {"One"}
    from vcn_ray.config import make_options

    with pytest.raises(OptionError, match="give these as a mapping"):
        vcn_ray.plan(file, tmp_path / "out", options=make_options())


def test_status_is_the_last_run_s(folder: Path) -> None:
    status = vcn_ray.status("season1")
    assert (status.verdict, [title.title for title in status.titles]) == ("finished", ["s01e01"])


@pytest.mark.parametrize("ask", [vcn_ray.load, vcn_ray.status])
def test_a_folder_without_a_run_is_told(ask: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the folder named by --out"):
        ask(tmp_path)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        vcn_ray.lod  # noqa: B018


def test_results_are_read_without_torch_ray_or_what_exports_need(folder: Path) -> None:
    code = (
        "import sys, vcn_ray; season = vcn_ray.load('season1'); season._repr_html_(); season.cast[0]._repr_html_();"
        "vcn_ray.status('season1'); print(*sys.modules)"
    )
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert not {"torch", "ray", "opentimelineio", "aaf2"} & set(run.stdout.split())


def test_the_package_tells_that_it_is_typed() -> None:
    assert (Path(vcn_ray.__file__).parent / "py.typed").is_file()
    assert "py.typed" in (ROOT / "pyproject.toml").read_text()


def test_season_file_from_python(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    season = write_season_file(tmp_path, "options: {seed: 2}\ntitles: [{video: a.mp4, title: One}]")
    result = vcn_ray.run(season, tmp_path / "out", options={"min_crops": 3}, local=True)
    assert [title.id for title in result.titles] == ["One"]
    options = json.loads((tmp_path / "out" / "season.json").read_text())["options"]
    assert (options["seed"], options["tracks"]["min_crops"]) == (2, 3)
    with pytest.raises(OptionError, match="give these as a mapping"):
        vcn_ray.run(season, tmp_path / "out", options=make_options(), local=True)
