"""The house: imports go one way, Ray is named in two folders only, the package is light to import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "vcn_ray"

#: From the ground up; a module imports from tiers below its own, or from its own folder.
TIERS = [
    {"storage", "schemas", "config", "calibration", "errors"},
    {"models", "inputs", "monitoring"},
    {"tracks", "adapt", "cluster", "export", "evaluate", "demo"},
    {"season", "pipeline", "execution"},
    {"cli", "__init__", "__main__", "jobs"},
]
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "jobs").rglob("*.py")])


def _part(path: Path) -> str:
    """The folder below the package, or the module at its top."""
    if path.is_relative_to(PACKAGE):
        return path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "jobs"


def _tier(part: str) -> int:
    return next(number for number, parts in enumerate(TIERS) if part in parts)


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= {f"vcn_ray.{alias.name}" for alias in node.names} if module == "vcn_ray" else {module}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    part = _part(path)
    for name in _imports(path):
        if name == "vcn_ray" or not name.startswith("vcn_ray."):
            continue
        other = name.split(".")[1]
        if not any(other in parts for parts in TIERS):
            continue  # a name that `vcn_ray/__init__.py` defines
        same_ground = _tier(part) == _tier(other) in (0, 3) or part in TIERS[-1]
        assert other == part or _tier(other) < _tier(part) or same_ground, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_ray_is_named_in_execution_and_jobs_only(path: Path) -> None:
    if _part(path) not in ("execution", "jobs"):
        assert not {name for name in _imports(path) if name.split(".")[0] == "ray"}


def test_package_and_command_line_are_light_to_import() -> None:
    code = "import sys, vcn_ray, vcn_ray.cli.commands; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    heavy = {"torch", "ray", "cv2", "av", "sklearn", "pyarrow", "numpy"}
    assert not heavy & set(run.stdout.split())
