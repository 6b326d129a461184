"""Commands that pages show can be given as they stand; the exports that guides show are written."""

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from support.command_line import write_video
from support.correctable_season import write_correctable_season
from typer.testing import CliRunner

import jobs.benchmarks.__main__
import jobs.benchmarks.chaos.__main__
import jobs.benchmarks.simulation.__main__
import vcn_ray
from jobs.benchmarks.quality.methods import KnownMethods
from vcn_ray.cli.commands import app
from vcn_ray.cli.request import given_options
from vcn_ray.config import make_options
from vcn_ray.export.exporters import check_export
from vcn_ray.plots.table import FIGURES
from vcn_ray.storage.store import Store

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "cluster_configs/laptop.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(app).commands
PARSERS = {
    f"jobs.benchmarks{name}": module.parser()
    for name, module in {
        "": jobs.benchmarks.__main__,
        ".chaos": jobs.benchmarks.chaos.__main__,
        ".simulation": jobs.benchmarks.simulation.__main__,
    }.items()
}
_BLOCK = re.compile(r"^( *)```(\w*)\n([\s\S]*?)^\1```$", re.MULTILINE)


def _typed(page: Path) -> Iterator[list[str]]:
    """Commands of a page's blocks of shell, word by word, each where it begins and without what it is piped to."""
    for _, language, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines() if language == "sh" else ():
            words = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
            words.whitespace_split = True
            command: list[str] = []
            for word in [*words, ";"]:
                if set(word) <= set("|&;>") or word == "--":  # what follows `--` is for a job
                    yield command
                    command = []
                else:
                    command.append(word)


def _named(page: Path) -> Iterator[list[str]]:
    """Commands that a page's sentences name, of which some leave out what is not the point."""
    prose = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for code in re.findall(r"`((?:vcn-ray|python -m jobs)\s[^`]+)`", prose):
        yield [word for word in code.replace("[", "").replace("]", "").split() if word != "..."]


def _of(program: str, commands: Callable[[Path], Iterator[list[str]]]) -> list[tuple[str, list[str]]]:
    """A program's commands without its name, with the page that each is from."""
    start = program.split()
    found = [(page.relative_to(ROOT).as_posix(), words) for page in PAGES for words in commands(page)]
    shown = [(page, [words[0].removeprefix(".venv/bin/"), *words[1:]]) for page, words in found if words]
    return [(page, words[len(start) :]) for page, words in shown if words[: len(start)] == start]


def _parsed(words: list[str]) -> dict[str, Any]:
    return COMMANDS[words[0]].make_context(words[0], words[1:]).params


@pytest.mark.parametrize(("page", "words"), _of("vcn-ray", _typed))
def test_command_of_a_block_is_one(page: str, words: list[str]) -> None:
    given = _parsed(words)
    make_options(given_options(given.get("set_") or [], {"pack": given.get("pack")} if given.get("pack") else {}))
    if words[0] == "export" and given["to"] != "help":
        check_export(given["to"], () if given["handles"] is None else ["handles_frames"])
    assert set(given.get("figure") or ()) <= set(FIGURES)


def test_command_of_a_sentence_takes_its_options() -> None:
    wrong = []
    for page, words in _of("vcn-ray", _named):
        if words[0] in COMMANDS:
            known = {flag for option in COMMANDS[words[0]].params for flag in option.opts} | {"--help"}
            wrong += [(page, words[0], word) for word in words[1:] if word.startswith("-") and word not in known]
        elif words[0].islower():
            wrong.append((page, words[0], ""))
    assert wrong == []


def test_benchmark_of_a_block_is_one() -> None:
    commands = _of("python -m", _typed)
    assert commands
    for _, (module, *words) in commands:
        given = PARSERS[module].parse_args(words)
        if getattr(given, "methods", None):
            KnownMethods().choose([name for name in given.methods if name.isupper() is False], {})


def test_benchmark_of_a_sentence_takes_its_options() -> None:
    wrong = []
    for page, (module, *words) in _of("python -m", _named):
        parser = PARSERS[module]
        for action in parser._subparsers._group_actions if parser._subparsers and words else ():
            parser = action.choices[words[0]]
        known = {flag for action in parser._actions for flag in action.option_strings}
        wrong += [(page, module, word) for word in words if word.startswith("--") and word not in known]
    assert wrong == []


def test_python_of_the_front_page_runs(seasons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(seasons / "season1", tmp_path / "season1")
    faces = vcn_ray.load(tmp_path / "season1").faces.to_pandas(["video", "frame", "x", "y", "w", "h", "cluster_id"])
    faces.dropna().rename(columns={"cluster_id": "identity"}).to_csv(tmp_path / "labels.csv", index=False)
    for name in ("s01e01.mkv", "s01e02.mkv"):
        write_video(tmp_path / name)
    asked: list[Any] = []
    monkeypatch.setattr("vcn_ray.season.run.run_season", lambda season, *_, **__: asked.append(season))
    monkeypatch.chdir(tmp_path)
    (code,) = [
        code for _, language, code in _BLOCK.findall((ROOT / "README.md").read_text("utf-8")) if language == "python"
    ]
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 (our own page)
    assert [title.id for (season,) in [asked] for title in season.titles] == ["My series"]
    assert vcn_ray.load("season1").cast[0].label == "Zoë"


@pytest.fixture(scope="module")
def seasons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with finished seasons of the names that the guides use."""
    folder = tmp_path_factory.mktemp("guides")
    write_correctable_season(Store(folder / "season1"))
    return folder


@pytest.mark.parametrize(("page", "words"), [shown for shown in _of("vcn-ray", _typed) if shown[1][0] == "export"])
def test_export_of_a_guide_is_written(
    page: str, words: list[str], seasons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "season1").symlink_to(seasons / "season1")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    if "help" not in words:
        assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
