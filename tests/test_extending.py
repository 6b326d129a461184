"""The examples of docs/extending.md do what they say: each runs as a module, on tables that are put back."""

import ast
import importlib
import re
import sys
import tempfile
from pathlib import Path

import pytest

from vcn_ray.cluster.clusterers.table import CLUSTERERS
from vcn_ray.execution.factory import EXECUTORS
from vcn_ray.export.exporters import EXPORTERS
from vcn_ray.models.catalogue import PACKS
from vcn_ray.models.detectors import DETECTORS

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
#: The tables that an example may add to, by the heading of the examples.
TABLES = {
    "A face detector": [DETECTORS, PACKS],
    "A face-ID pack": [PACKS],
    "A clustering method": [CLUSTERERS],
    "An exporter": [EXPORTERS],
    "An executor": [EXECUTORS],
}


def _examples() -> list[tuple[str, str]]:
    """Each python block of the page with the heading that it stands below."""
    found, heading = [], ""
    for title, block in re.findall(r"^## (.+)$|^```python\n([\s\S]*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE):
        heading = title or heading
        if block:
            found.append((heading, block))
    return found


def test_every_seam_that_has_a_table_has_an_example() -> None:
    assert {heading for heading, _ in _examples()} >= TABLES.keys()


@pytest.mark.parametrize(("heading", "code"), _examples(), ids=[heading for heading, _ in _examples()])
def test_example(heading: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(ast.parse(code).body[-1], ast.Assert), "it ends by showing that it works"
    tables = TABLES.get(heading, [])
    (tmp_path / "vcn_ray_example.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = [dict(table) for table in tables]
    try:
        importlib.import_module("vcn_ray_example")
        assert all(table.keys() > known.keys() for table, known in zip(tables, before, strict=True)), "it adds to each"
    finally:
        sys.modules.pop("vcn_ray_example", None)
        for table, known in zip(tables, before, strict=True):
            table.clear()
            table.update(known)
