"""What a stranger finds beside the code agrees with it: workflow, hooks, forms of issues, CONTRIBUTING."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
FORMS = GITHUB / "ISSUE_TEMPLATE"


def _load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_ci_runs_the_whole_check_and_may_do_nothing_else() -> None:
    workflow = _load(GITHUB / "workflows" / "ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert job["timeout-minutes"]
    assert job["steps"][-1]["run"] == ".ci/run"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    for step in job["steps"]:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step.get("uses", f"actions/none@{0:040}")), step
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    assert job["strategy"]["matrix"]["python"][0] == oldest


def test_hooks_are_what_ci_lints_with() -> None:
    (repo,) = _load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    lint = (ROOT / ".ci" / "run").read_text().split('part "lint and types"\n')[1].split("\n\n")[0]
    assert [hook["entry"] for hook in repo["hooks"]] == lint.splitlines()
    for hook in repo["hooks"]:
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)
        assert re.search(hook["files"], "vcn_ray/tracks/probe.py")


@pytest.mark.parametrize("name", ["crash", "wrong-cast"])
def test_forms_ask_for_what_a_run_writes(name: str) -> None:
    form = _load(FORMS / f"{name}.yml")
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert "**Attach no pages, crops or embeddings.**" in form["body"][0]["attributes"]["value"]
    text = (FORMS / f"{name}.yml").read_text(encoding="utf-8")
    named = {
        file.removeprefix("titles/<title>/")
        for file in re.findall(r"`(\S+\.(?:json|jsonl|log|html|parquet|csv))`", text)
    }
    assert "season.json" in named
    tree = (ROOT / "docs" / "output.md").read_text(encoding="utf-8").split("\n\n")[1]
    written = re.findall(r"([\w/*-]+)\.\{?([\w,]+)", tree)
    assert named <= {f"{stem}.{suffix}" for stem, suffixes in written for suffix in suffixes.split(",")}
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "vcn_ray").rglob("*.py"))
    assert all(f'"{file}"' in sources for file in named if file.endswith((".json", ".log")))


def test_forms_name_the_page_s_section_by_its_head() -> None:
    assert 'under "Review first"' in (FORMS / "wrong-cast.yml").read_text(encoding="utf-8")
    page = (ROOT / "vcn_ray" / "export" / "templates" / "title.html.j2").read_text(encoding="utf-8")
    assert "<h2>Review first " in page


def test_whoever_has_neither_problem_may_write_freely() -> None:
    assert _load(FORMS / "config.yml")["blank_issues_enabled"] is True


def test_contributing_names_what_is_there() -> None:
    text = (GITHUB / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https)([^)]+)\)", text):
        assert (GITHUB / target).exists(), target
    for path in re.findall(r"`((?:vcn_ray|tests|jobs)/[\w./]*)`", text):
        assert (ROOT / path).exists(), path
    house = text.split("## The house")[1].split("Imports go down")[0]
    rooms = set(re.findall(r"^      (\w+)/", house, re.MULTILINE))
    assert rooms == {path.parent.name for path in (ROOT / "vcn_ray").glob("*/__init__.py")}
    floors = text.split("never in a circle:")[1].split("`tests/")[0]
    modules = {path.stem for path in (ROOT / "vcn_ray").glob("*.py")} - {"__main__"}
    assert rooms | modules <= {name.strip() for name in re.split(r"[,\n]", floors)}
