"""The container file: what can be checked of it without building it."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _instructions() -> list[tuple[str, str]]:
    """(instruction, its text) in order; comments left out, lines joined."""
    lines = (ROOT / "cluster_configs" / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    found = [line.split(maxsplit=1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, rest in found]


def _all(name: str) -> list[str]:
    return [text for instruction, text in _instructions() if instruction == name]


def _apt_packages() -> list[str]:
    install = next(text for text in _all("RUN") if "apt-get install" in text)
    arguments = install.partition("apt-get install")[2].partition("&&")[0].split()
    return [word for word in arguments if not word.startswith("-")]


def test_instructions_are_dockers() -> None:
    known = {"FROM", "ARG", "RUN", "ENV", "WORKDIR", "COPY", "USER", "CMD"}
    assert {name for name, _ in _instructions()} <= known
    assert _instructions()[0][0] == "FROM"


def test_the_base_is_pinned_and_can_run_the_package() -> None:
    (base,) = _all("FROM")
    version = re.fullmatch(r"python:3\.(\d+)-slim-bookworm", base)
    assert version is not None
    assert int(version[1]) >= int(PROJECT["requires-python"].removeprefix(">=3."))


def test_torch_is_the_packages_from_the_index_of_the_argument() -> None:
    wanted = next(line for line in PROJECT["dependencies"] if line.startswith("torch"))
    install = next(text for text in _all("RUN") if "pip install" in text and "torch" in text)
    assert install == f'pip install --no-cache-dir --index-url "$TORCH_INDEX" "{wanted}"'
    assert _all("ARG") == ["TORCH_INDEX=https://download.pytorch.org/whl/cpu"]


def test_the_package_is_installed_by_its_own_project_file() -> None:
    copied = [word for text in _all("COPY") for word in text.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    assert {"pyproject.toml", PROJECT["readme"], "vcn_ray"} <= set(copied)
    assert any(re.match(r"pip install --no-cache-dir \.( |$)", text) for text in _all("RUN"))


def test_layers_leave_nothing_behind() -> None:
    for text in _all("RUN"):
        if "apt-get" in text:
            assert "apt-get update &&" in text
            assert "--no-install-recommends" in text
            assert text.endswith("rm -rf /var/lib/apt/lists/*")
        if "pip install" in text:
            assert "--no-cache-dir" in text
        assert "sudo" not in text


def test_it_does_not_run_as_root_and_holds_no_secret() -> None:
    instructions = _instructions()
    last_user = max(number for number, (name, _) in enumerate(instructions) if name == "USER")
    assert instructions[last_user][1] == "ray"
    assert all(name in ("WORKDIR", "RUN", "CMD") for name, _ in instructions[last_user + 1 :])
    assert any("useradd --uid 1000 " in text for text in _all("RUN"))
    assert not any(re.search(r"SECRET|PASSWORD|ACCESS_KEY|AUTH_TOKEN", text) for text in _all("ENV") + _all("ARG"))


def test_system_packages_are_there() -> None:
    packages = _apt_packages()
    assert {"libgl1", "libglib2.0-0", "libxcb1"} <= set(packages)
    if shutil.which("apt-cache") is None or not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        pytest.skip("no list of the system's packages here")
    for package in packages:
        told = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=True)  # noqa: S603, S607
        assert re.search(r"Candidate: (?!\(none\))", told.stdout), package
