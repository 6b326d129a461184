"""A write is whole or not there; markers vouch only for what was written after them; errors are sentences."""

import errno

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.errors import OutputError
from vcn_ray.storage import Store, digest


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.write_bytes("a/b", b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OutputError, match="no space is left"):
        store.write_bytes("a/b", b"new")
    assert store.read_bytes("a/b") == b"old"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b"]


def test_a_marker_stands_for_its_inputs_only_and_falls_when_the_step_begins_again(tmp_path):
    store = Store(tmp_path)
    store.mark_done("step", "one", seconds=2)
    assert store.done_info("step", "one")["seconds"] == 2
    assert not store.is_done("step", "two")
    store.begin("step")
    assert not store.is_done("step", "one")


def test_a_damaged_marker_counts_as_not_done(tmp_path):
    store = Store(tmp_path)
    store.write_bytes("step.done.json", b"{")
    assert not store.is_done("step", "one")


@pytest.mark.parametrize("key", ["table.parquet", "value.json"])
def test_damaged_objects_are_named_with_the_remedy(tmp_path, key):
    store = Store(tmp_path)
    store.write_bytes(key, b"PAR1 damaged")
    with pytest.raises(OutputError, match=rf"{key} is damaged .*delete it and run again"):
        store.read_table(key) if key.endswith("parquet") else store.read_json(key)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 50), st.data())
def test_rows_come_back_in_the_order_asked_for_whatever_the_groups(tmp_path_factory, size, rows_per_group, data):
    rows = data.draw(st.lists(st.integers(0, size - 1), max_size=20))
    store = Store(tmp_path_factory.mktemp("store"))
    table = pa.table({"x": range(size), "y": [str(n) for n in range(size)]})
    store.write_table("t", table, rows_per_group=rows_per_group)
    assert store.read_table("t", rows=rows)["y"].to_pylist() == [str(n) for n in rows]
    assert store.read_table("t", columns=["x"]).column_names == ["x"]


def test_digests_tell_contents_apart_and_do_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(["a", "b"]) != digest(["ab"])
