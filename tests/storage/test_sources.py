"""Videos by path or URL: what is there is found, what is not is named."""

from pathlib import Path

import pytest

from vcn_ray.errors import InputError
from vcn_ray.storage.sources import list_sources, open_source, source_name, stat_source
from vcn_ray.storage.store import Store


def test_version_changes_with_the_file_alone(tmp_path: Path, s3_bucket: str) -> None:
    for store in (Store(tmp_path), Store(s3_bucket)):
        store.write_bytes("a.mp4", b"one")
        first = stat_source(store.where("a.mp4"))
        assert first.size_bytes == 3
        assert stat_source(store.where("a.mp4")) == first
        store.write_bytes("a.mp4", b"two")
        assert stat_source(store.where("a.mp4")) != first


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_missing_file_is_named(where: str, tmp_path: Path, s3_bucket: str) -> None:
    url = f"{tmp_path if where == 'folder' else s3_bucket}/none.mp4"
    with pytest.raises(InputError, match=r"none\.mp4"):
        stat_source(url)


def test_objects_below_a_prefix(s3_bucket: str) -> None:
    store = Store(s3_bucket)
    for key in ("season/b.mp4", "season/a.mp4", "seasonal.mp4", "season/x/c.mkv"):
        store.write_bytes(key, b"1")
    below = [f"{s3_bucket}/season/{name}" for name in ("a.mp4", "b.mp4", "x/c.mkv")]
    assert list_sources(f"{s3_bucket}/season") == list_sources(f"{s3_bucket}/season/") == below
    assert list_sources(f"{s3_bucket}/seasonal.mp4") == [f"{s3_bucket}/seasonal.mp4"]
    assert len(list_sources(s3_bucket)) == 4
    with pytest.raises(InputError, match="nor any below it"):
        list_sources(f"{s3_bucket}/sea")


def test_reading_is_the_same_from_both(tmp_path: Path, s3_bucket: str) -> None:
    content = bytes(range(256)) * 2000
    for store in (Store(tmp_path), Store(s3_bucket)):
        store.write_bytes("v", content)
        with open_source(store.where("v")) as file:
            file.seek(1000)
            assert file.read(400_000) == content[1000:401_000]
            file.seek(-10, 2)
            assert file.read() == content[-10:]


def test_names_are_the_last_part() -> None:
    assert [source_name(url) for url in ("/a/b.mp4", "s3://b/x/y.mkv", "b.mp4")] == ["b.mp4", "y.mkv", "b.mp4"]
