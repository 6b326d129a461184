"""Every table that is stored can be read back, by the oldest pyarrow that is declared as by the newest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vcn_ray import schemas
from vcn_ray.errors import OutputError
from vcn_ray.storage.store import Store

_SCHEMAS = {name: value for name, value in vars(schemas).items() if isinstance(value, pa.Schema)}
_VALUES: dict[pa.DataType, Any] = {pa.string(): "é 日本", pa.binary(): b"\xff", pa.bool_(): True}


def _value(kind: pa.DataType) -> Any:
    return [0.5] * 10 if pa.types.is_list(kind) else _VALUES.get(kind, 1)


@pytest.mark.parametrize("name", _SCHEMAS)
def test_a_table_with_nulls_anywhere_is_read_back(name: str, tmp_path: Path) -> None:
    schema = _SCHEMAS[name]
    rows = [
        {field.name: _value(field.type) for k, field in enumerate(schema) if (row + k) % 3 or row == 0}
        for row in range(12)
    ]
    table = pa.Table.from_pylist(rows, schema=schema)
    store = Store(tmp_path)
    store.write_table("t", table, schema, rows_per_group=5)
    assert store.read_table("t").equals(table)
    assert store.read_table("t", rows=[7, 0, 11]).equals(table.take([7, 0, 11]))


def test_lists_of_fixed_size_are_read_or_the_remedy_is_told(tmp_path: Path) -> None:
    faces = pa.table({"landmarks": pa.array([[0.5] * 10, None] * 6, pa.list_(pa.float32(), 10))})
    store = Store(tmp_path)
    store.write_table("t", faces)
    if int(pa.__version__.split(".")[0]) >= 26:
        assert store.read_table("t").equals(faces)
    else:
        with pytest.raises(OutputError, match=r"t is of an earlier version, and pyarrow .* 'pyarrow>=26', or delete"):
            store.read_table("t")
