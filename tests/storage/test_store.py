"""A write is whole or not there; markers vouch only for what was written after them; errors are sentences."""

import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.errors import OutputError
from vcn_ray.storage import objectstore
from vcn_ray.storage.store import Store, digest


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


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path):
    """A store of either kind."""
    return Store(tmp_path) if request.param == "folder" else Store(f"{request.getfixturevalue('s3_bucket')}/season one")


def test_a_new_file_is_put_whole_or_not_at_all(store, tmp_path):
    with store.new_file("videos/a") as path:
        Path(path).write_bytes(b"1")
        assert store.keys() == []
    assert store.read_bytes("videos/a") == b"1"
    with pytest.raises(KeyError):
        _begin(store, "videos/a", KeyError())
    assert store.read_bytes("videos/a") == b"1"
    assert not list(tmp_path.rglob(".tmp-*"))


def _begin(store, key, error):
    with store.new_file(key) as path:
        Path(path).write_bytes(b"2")
        raise error


def test_a_disk_that_is_full_while_a_new_file_grows_is_told(store, tmp_path):
    with pytest.raises(OutputError, match="free some"):
        _begin(store, "a", OSError(errno.ENOSPC, "as PyAV raises it"))
    assert os.listdir(tmp_path) == []
    assert store.keys() == []


def test_what_was_written_is_read_back(store, tmp_path):
    store.write_bytes("a/b", b"1")
    store.write_bytes("a/c", b"2")
    store.write_bytes("ab", b"3")
    (tmp_path / "file").write_bytes(b"4")
    store.write_file("d", tmp_path / "file")
    (tmp_path / "file").unlink()
    assert store.keys() == ["a/b", "a/c", "ab", "d"]
    assert store.keys("a/") == ["a/b", "a/c"]
    assert [store.read_bytes(key) for key in ("a/b", "a/c", "ab", "d")] == [b"1", b"2", b"3", b"4"]
    assert store.exists("ab")
    assert not store.exists("a")


def test_a_folder_is_deleted_with_all_in_it_and_nothing_else(store):
    for key in ("a/b", "a/c/d", "ab", "b"):
        store.write_bytes(key, b"")
    store.delete("a")
    store.delete("b")
    store.delete("never there")
    assert store.keys() == ["ab"]


def test_a_store_is_the_same_by_its_url_and_after_pickling(store):
    store.child("x", "y").write_json("v.json", {"n": 1})
    for same in (Store(store.url), pickle.loads(pickle.dumps(store))):  # noqa: S301  # our own bytes
        assert same.child("x").child("y").read_json("v.json") == {"n": 1}
    assert store.child("x", "y").name == "y"
    assert store.where("x/y/v.json").startswith(store.url)


def test_what_is_missing_is_named(store):
    with pytest.raises(OutputError, match="nothing/here"):
        store.read_bytes("nothing/here")


def test_a_marker_stands_for_its_inputs_only_and_falls_when_the_step_begins_again(store):
    store.mark_done("step", "one", seconds=2)
    assert store.done_info("step", "one")["seconds"] == 2
    assert not store.is_done("step", "two")
    store.begin("step")
    assert not store.is_done("step", "one")


def test_a_damaged_marker_counts_as_not_done(store):
    store.write_bytes("step.done.json", b"{")
    assert not store.is_done("step", "one")


@pytest.mark.parametrize("key", ["table.parquet", "value.json"])
def test_damaged_objects_are_named_with_the_remedy(store, key):
    store.write_bytes(key, b"PAR1 damaged")
    with pytest.raises(OutputError, match=rf"{key} is damaged .*delete it and run again"):
        store.read_table(key) if key.endswith("parquet") else store.read_json(key)


def test_few_rows_of_a_table_cost_few_bytes(s3_bucket):
    store = Store(s3_bucket)
    table = pa.table({"n": range(4000), "noise": [np.random.default_rng(n).bytes(1000) for n in range(4000)]})
    store.write_table("t", table, rows_per_group=64)
    before = objectstore.bytes_read()
    assert store.read_table("t", ["n", "noise"], [2000, 3])["n"].to_pylist() == [2000, 3]
    assert objectstore.bytes_read() - before < 1_500_000


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
