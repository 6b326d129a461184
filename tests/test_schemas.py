"""Every table that is stored can be read back, by the oldest pyarrow that is declared as by the newest."""

from __future__ import annotations

import base64
import zlib
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


#: A column `l` of two lists of ten numbers and a null, as pyarrow 26 writes lists of fixed size; zlib, base 85.
_FIXED_SIZE = zlib.decompress(
    base64.b85decode(
        "c-"
        "lo#%Syvg5S_%DX3?cLBoHtQTeR4hkRnnkliC+nt$`{oOAWP<wy}xLPq`KR0>8k|5I5q^*W5IXv$%8So|!WTrjK@o0ecbH`98}Nl9;3e!"
        "0uD&+ZcTUJg2Bi|9otxDQ|6Te*M-7KwSX;)f8At>zSZR{^-"
        "t`4w(q1s0uC<nbfOMmzh#i?!*s>U~*Pe(~j#*oml{ir0JTT1D(lQRs!u%aHGa`1Is9R<y}ygIk~HoD<Fm1UQXK4S|XVvY0gSHSy_Uns~"
        "NQIi|eD63-wJX@u-"
        "fG;u2SJiWs6b#unlj8xe(;g?Pq61F;)@{AY@0@|63e7ZR{>!0Qes(pD@Uw^}~p4cBY(yr!ra@V&IZ!+k`<R_qL$C(#lsO!i@-Z+W-"
        "vtAIc|o^QwGdioet!y7K{ADo~t^1Q-uv6zR((pmVE`OG+|7R$wort_0N3IKgN_aFM{cGL"
    )
)


def test_lists_of_fixed_size_are_read_or_the_remedy_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_bytes("t", _FIXED_SIZE)
    if int(pa.__version__.split(".")[0]) >= 26:
        assert store.read_table("t")["l"].to_pylist() == [[0.5] * 10, None, [0.5] * 10]
    else:
        with pytest.raises(OutputError, match=r"t is of an earlier version, and pyarrow .* 'pyarrow>=26', or delete"):
            store.read_table("t")
