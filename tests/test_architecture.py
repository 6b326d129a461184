"""The house: imports go one way and in no circle, Ray is named in two folders only, the package is light to import."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "vcn_ray"

#: From the ground up; a file imports from rooms of floors below its own, and from rooms of its own floor.
FLOORS = [
    {"calibration", "schemas", "errors", "version"},
    {"evaluate", "storage", "track_files"},
    {"config", "export"},
    {"cluster", "adapt", "models", "inputs", "identify", "corrections", "monitoring"},
    {"tracks", "demo"},
    {"pipeline"},
    {"execution"},
    {"curation", "overlay", "plots"},
    {"season"},
    {"__init__"},
    {"cli", "review", "__main__", "jobs"},
]
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "jobs").rglob("*.py")])


def _module(path: Path) -> str:
    """Dotted name, of a package as of its `__init__`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {_module(path): path for path in SOURCES}


def _room(module: str) -> str:
    """The folder below the package, or the file at its top; all of jobs/ is one room."""
    parts = module.split(".")
    return parts[1] if parts[0] == "vcn_ray" else parts[0]


def _floor(module: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if _room(module) in rooms)


def _nodes(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """All imports of a file: inside functions and for type checkers, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def _own_imports(path: Path) -> set[str]:
    """Modules of the project that a file imports."""
    found = set()
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            # The longest prefix that is a file: `from package.module import name` is of the module.
            parts = name.split(".")
            for end in range(len(parts), 0, -1):
                prefix = ".".join(parts[:end])
                if prefix in MODULES or f"{prefix}.__init__" in MODULES:
                    found.add(prefix if prefix in MODULES else f"{prefix}.__init__")
                    break
    return found - {_module(path)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    for other in _own_imports(path):
        assert _floor(other) <= _floor(_module(path)), f"{path.name} imports {other}, which is of a floor above"


def test_no_files_import_one_another_in_a_circle() -> None:
    graph = {module: _own_imports(path) for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_rooms_of_one_floor_do_not_import_one_another_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        rooms.setdefault(_room(module), set()).update(_room(other) for other in _own_imports(path))
    try:
        TopologicalSorter({room: others - {room} for room, others in rooms.items()}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_ray_is_imported_in_two_folders_only(path: Path) -> None:
    if path.is_relative_to(PACKAGE / "execution" / "on_ray") or _room(_module(path)) == "jobs":
        return
    for node in _nodes(path):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
        assert not [name for name in names if name.split(".")[0] == "ray"]


def test_no_folder_is_too_full_to_find_a_file_in() -> None:
    folders = [path.parent for path in SOURCES if path.name != "__init__.py"]
    assert max(folders.count(folder) for folder in set(folders)) <= 16


def _modules_after(code: str, *arguments: str) -> set[str]:
    """Top-level modules that a process has imported after this code."""
    code += "; import sys; print(); print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(run.stdout.splitlines()[-1].split())


def test_package_and_command_line_are_light_to_import() -> None:
    heavy = {"torch", "ray", "cv2", "av", "sklearn", "pyarrow", "numpy"}
    assert not heavy & _modules_after("import vcn_ray, vcn_ray.cli.commands")


def test_a_worker_that_extracts_imports_no_torch(tmp_path: Path) -> None:
    """All that its task does, the detectors of the default pack included: torch is most of what it would start with."""
    code = (
        "import sys, av, numpy as np\n"
        "from vcn_ray.config import make_options\n"
        "from vcn_ray.execution.attempts import run_here\n"
        "from vcn_ray.pipeline.tasks import Tasks\n"
        "from vcn_ray.pipeline.videoclusternet import VideoClusterNet\n"
        "video, work = sys.argv[1:]\n"
        "with av.open(video, 'w') as sink:\n"
        "    stream = sink.add_stream('mpeg4', rate=25); stream.width = stream.height = 64\n"
        "    for n in range(10):\n"
        "        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), n, np.uint8), format='rgb24')\n"
        "        sink.mux(stream.encode(frame))\n"
        "    sink.mux(stream.encode(None))\n"
        "row = {'work': work, 'title': 'a', 'what': 'a', 'digest': 'd', 'video': 'a'}\n"
        "look = row | {'step': 'probe/a', 'url': video, 'name': 'a.mp4'}\n"
        "shard = row | {'step': 'shards/a/0-10', 'first_frame': 0, 'end_frame': 10, 'starts': True}\n"
        "tasks = Tasks(VideoClusterNet(), {'a': make_options()})\n"
        "for task, given in (tasks.probe, look), (lambda row: tasks.extract(row, lambda event: None), shard):\n"
        "    [done] = run_here([given], task, 'run')\n"
        "    assert not done['error'], done\n"
        "pass"
    )
    imported = _modules_after(code, str(tmp_path / "a.mp4"), str(tmp_path / "work"))
    assert {"onnxruntime", "trackers"} <= imported  # it has looked for faces
    assert not {"torch", "ray", "sklearn"} & imported


def test_a_run_in_one_process_imports_no_ray(tmp_path: Path) -> None:
    """Of a real video without faces: probing, tracks and the season's results are done, adaptation's code is loaded."""
    code = (
        "import sys, av, numpy as np, vcn_ray, vcn_ray.pipeline.adaptation_loop\n"
        "video, out = sys.argv[1:]\n"
        "with av.open(video, 'w') as sink:\n"
        "    stream = sink.add_stream('mpeg4', rate=25); stream.width = stream.height = 64\n"
        "    for n in range(30):\n"
        "        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), n, np.uint8), format='rgb24')\n"
        "        sink.mux(stream.encode(frame))\n"
        "    sink.mux(stream.encode(None))\n"
        "season = vcn_ray.run(video, out, local=True)\n"
        "assert 'no face was found' in season.errors[0]['error'], season.errors\n"
        "pass"
    )
    assert "ray" not in _modules_after(code, str(tmp_path / "a.mp4"), str(tmp_path / "out"))
