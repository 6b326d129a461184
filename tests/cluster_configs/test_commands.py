"""Commands that the configurations, jobs and documents show can be typed as they stand."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from vcn_ray.cli.commands import app
from vcn_ray.config import make_options, option_names

ROOT = Path(__file__).parent.parent.parent
SHOWN_IN = [ROOT / "docs" / "clusters.md", ROOT / "cluster_configs" / "laptop.md"]
JOBS = {"season.py": "run", "evaluate.py": "evaluate"}


def _shown(path: Path) -> list[str]:
    """Command lines in blocks of shell, comments left out and lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text(), re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _own_commands(line: str) -> list[list[str]]:
    """Words after `vcn-ray`, or what a job of ours makes of its own."""
    words = shlex.split(line, comments=True)
    found = []
    for number, word in enumerate(words):
        if word == "vcn-ray" and number + 1 < len(words):
            found.append(words[number + 1 :])
        elif Path(word).name in JOBS and word.startswith("jobs/"):
            found.append([JOBS[Path(word).name], *words[number + 1 :]])
    return found


def _parse(words: list[str]) -> None:
    """Fails as the command line would."""
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    given = command.make_context(words[0], list(words[1:])).params
    settings = dict(assignment.split("=", 1) for assignment in given.get("set_") or [])
    assert set(settings) <= set(option_names())
    make_options(settings)


def _commands() -> list[tuple[str, list[str]]]:
    job = yaml.safe_load((ROOT / "cluster_configs" / "kuberay-rayjob.yaml").read_text())
    lines = [("kuberay-rayjob.yaml", job["spec"]["entrypoint"])]
    lines += [(path.name, line) for path in SHOWN_IN for line in _shown(path)]
    for name in JOBS:
        text = (ROOT / "jobs" / name).read_text().replace("\\\n", " ")
        lines += [(name, line) for line in text.splitlines() if "ray job submit" in line]
    return [(where, words) for where, line in lines for words in _own_commands(line)]


def test_there_are_commands_everywhere() -> None:
    assert {where for where, _ in _commands()} == {"kuberay-rayjob.yaml", "clusters.md", "laptop.md", *JOBS}


@pytest.mark.parametrize(
    ("where", "words"), _commands(), ids=lambda value: value if isinstance(value, str) else value[0]
)
def test_own_commands_parse(where: str, words: list[str]) -> None:
    _parse(words)


@pytest.mark.parametrize("path", SHOWN_IN, ids=lambda path: path.name)
def test_commands_of_ray_parse(path: Path) -> None:
    from ray.scripts.scripts import cli

    seen = 0
    for line in _shown(path):
        for part in re.split(r"&&|;|\|", line):
            words = [word for word in shlex.split(part, comments=True) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
            if not words or words[0] != "ray":
                continue
            command, names = cli, words[1:]
            while hasattr(command, "commands"):
                command, names = command.commands[names[0]], names[1:]
            own = names.index("--") if "--" in names else len(names)
            command.make_context(command.name, [*names[:own], *(["--", "x"] if own < len(names) else [])])
            seen += 1
    assert seen >= 3


@pytest.mark.parametrize("job", JOBS)
def test_jobs_take_the_arguments_of_their_command(job: str) -> None:
    run = subprocess.run(  # noqa: S603
        [sys.executable, ROOT / "jobs" / job, "--help"], capture_output=True, text=True, check=True
    )
    assert job in run.stdout
    assert ("--out" if job == "season.py" else "--ground-truth") in run.stdout


def test_files_that_documents_name_are_there() -> None:
    for path in SHOWN_IN:
        for name in re.findall(r"(?<![/\w])(?:cluster_configs|jobs|docs|tests)/[\w./-]+\w", path.read_text()):
            assert (ROOT / name).exists(), f"{path.name} names {name}"
