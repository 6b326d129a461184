"""Where results live: one small class over a folder of objects, with atomic writes and done-markers.

A write is one object put whole: on a file system a temporary name in the same folder, then a rename; in an object
store one PUT. A step is done when its marker exists and bears the digest of its inputs and options; anything else is
redone.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vcn_ray.errors import OutputError
from vcn_ray.storage import objectstore
from vcn_ray.storage.folder import Folder
from vcn_ray.storage.objectstore import Location
from vcn_ray.storage.ranged_file import RangedFile


def digest(*parts: Any) -> str:
    """Hex digest (16 characters) of JSON-able parts; equal parts give equal digests on every machine."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _Place(Protocol):
    """What a kind of place has to offer; errors are `OutputError`."""

    url: str

    def where(self, key: str) -> str: ...
    def exists(self, key: str) -> bool: ...
    def keys(self, prefix: str) -> list[str]: ...
    def read_if_there(self, key: str) -> bytes | None: ...
    def open(self, key: str) -> AbstractContextManager[BinaryIO]: ...
    def write_bytes(self, key: str, content: bytes) -> None: ...
    def write_file(self, key: str, source: str) -> None: ...
    def new_file(self, key: str) -> AbstractContextManager[str]: ...
    def delete(self, key: str) -> None: ...
    def delete_below(self, key: str) -> None: ...


class Store:
    """A folder of objects, addressed by '/'-separated keys: on this machine, or ``s3://bucket/prefix``.

    Results are read and written through it alone; another kind of place needs another `_Place`. What a run's lock and
    its status ask of a place beyond that (compare and swap, a server's clock) is in `lock` and `objectstore`. It
    pickles as its URL, so Ray workers can be handed one. Errors surface as `OutputError` with the path or URL and the
    remedy.

    `url` is the absolute path or the URL; ``Store(store.url)`` is the same store.
    """

    def __init__(self, root: str | os.PathLike[str]):
        text = os.fspath(root)
        self._place: _Place = _Bucket(text) if objectstore.is_object_url(text) else Folder(text)
        self.url = self._place.url

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def __reduce__(self) -> tuple[type[Store], tuple[str]]:
        return Store, (self.url,)

    @property
    def name(self) -> str:
        """Last part of the URL."""
        return self.url.rstrip("/").rsplit("/", 1)[-1]

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine's file system."""
        return not objectstore.is_object_url(self.url)

    def child(self, *names: str) -> Store:
        """The store below this one."""
        return Store("/".join([self.url.rstrip("/"), *names]))

    def where(self, key: str) -> str:
        """Path or URL of an object; for messages and links."""
        return self._place.where(key)

    def exists(self, key: str) -> bool:
        """Whether an object of this key has been written."""
        return self._place.exists(key)

    def keys(self, prefix: str = "") -> list[str]:
        """Keys of all objects whose key starts with the prefix, sorted; temporary objects are left out."""
        return self._place.keys(prefix)

    def read_bytes(self, key: str) -> bytes:
        """An object's content; `OutputError` when it is missing or unreadable."""
        content = self._place.read_if_there(key)
        if content is None:
            raise OutputError(f"cannot read {self.where(key)}: no such file or folder: check the path")
        return content

    def write_bytes(self, key: str, content: bytes) -> None:
        """Put an object whole: readers see the old content or the new, never a part."""
        self._place.write_bytes(key, content)

    def write_file(self, key: str, source: str | os.PathLike[str]) -> None:
        """Put the content of a local file whole, without holding it in memory."""
        self._place.write_file(key, os.fspath(source))

    def new_file(self, key: str) -> AbstractContextManager[str]:
        """Path of a local file to write in the block, put whole at its end; nothing is left where the block raises."""
        return self._place.new_file(key)

    def delete(self, key: str) -> None:
        """Remove an object, and everything below a folder of that name; nothing happens where there is none."""
        self._place.delete_below(key)
        self._place.delete(key)

    def read_json(self, key: str) -> Any:
        """An object parsed as JSON; `OutputError` when it is damaged."""
        try:
            return json.loads(self.read_bytes(key))
        except ValueError as error:
            raise OutputError(f"{self.where(key)} is damaged ({error}); delete it and run again") from None

    def write_json(self, key: str, value: Any) -> None:
        """Put a value as JSON (sorted keys, so that equal values are equal bytes)."""
        self.write_bytes(key, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n")

    def read_table(
        self, key: str, columns: Sequence[str] | None = None, rows: Sequence[int] | np.ndarray | None = None
    ) -> pa.Table:
        """An object parsed as Parquet; `OutputError` when it is damaged.

        Only the columns named are read, and only the parts of the file that hold the rows asked for; these come back
        in the order given.
        """
        with self._place.open(key) as source:
            try:
                file = pq.ParquetFile(source)
                if rows is None:
                    return file.read(columns) if file.num_row_groups else _no_rows(file, columns)
                ends = np.cumsum([file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)])
                group_of_row = np.searchsorted(ends, rows, side="right")
                groups = np.unique(group_of_row)
                if not len(groups):
                    return _no_rows(file, columns)
                sizes = np.diff(ends, prepend=0)[groups]
                offset = (ends - np.diff(ends, prepend=0))[groups] - (np.cumsum(sizes) - sizes)
                position = np.asarray(rows, np.int64) - offset[np.searchsorted(groups, group_of_row)]
                return file.read_row_groups(groups.tolist(), columns).take(pa.array(position))
            except pa.ArrowException as error:
                if "Expected all lists to be of size" in str(error):
                    # Landmarks as an earlier version of ours wrote them; see `schemas.STAGE1_FACES`.
                    raise OutputError(
                        f"{self.where(key)} is of an earlier version, and pyarrow {pa.__version__} cannot read it; "
                        "pip install 'pyarrow>=26', or delete it and run again"
                    ) from None
                raise OutputError(f"{self.where(key)} is damaged ({error}); delete it and run again") from None

    def write_table(
        self, key: str, table: pa.Table, schema: pa.Schema | None = None, rows_per_group: int | None = None
    ) -> None:
        """Put a table as Parquet, cast to the schema where one is given.

        `rows_per_group` makes small groups of rows, for tables that are read back a few rows at a time.
        """
        if schema is not None:
            table = table.select(schema.names).cast(schema)
        sink = pa.BufferOutputStream()
        pq.write_table(
            table.combine_chunks(), sink, compression="zstd", store_schema=True, row_group_size=rows_per_group
        )
        self.write_bytes(key, sink.getvalue().to_pybytes())

    def begin(self, step: str) -> None:
        """Take away the marker of a step before its first write, so that no old marker vouches for new content."""
        self._place.delete(f"{step}.done.json")

    def mark_done(self, step: str, inputs_digest: str, **info: Any) -> None:
        """Record that a step has been done for these inputs; `info` (times, counts) is for people and reports."""
        self.write_json(f"{step}.done.json", {"digest": inputs_digest, **info})

    def done_info(self, step: str, inputs_digest: str) -> dict[str, Any] | None:
        """The marker's content when the step has been done for exactly these inputs, else None."""
        content = self._place.read_if_there(f"{step}.done.json")
        try:
            marker = None if content is None else json.loads(content)
        except ValueError:  # not ours, or damaged: the step is done again
            return None
        return marker if isinstance(marker, dict) and marker.get("digest") == inputs_digest else None

    def is_done(self, step: str, inputs_digest: str) -> bool:
        """Whether the step has been done for exactly these inputs."""
        return self.done_info(step, inputs_digest) is not None


def _no_rows(file: pq.ParquetFile, columns: Sequence[str] | None) -> pa.Table:
    """What older pyarrow cannot read: none of a file's groups of rows."""
    schema = file.schema_arrow
    return schema.empty_table().select([name for name in schema.names if columns is None or name in columns])


class _Bucket:
    """``s3://bucket/prefix`` as a place for objects."""

    def __init__(self, url: str):
        self._root = objectstore.parse_url(url)
        self.url = self._root.url.rstrip("/")

    def where(self, key: str) -> str:
        return self._at(key).url

    def exists(self, key: str) -> bool:
        with objectstore.explained(self.where(key), "read"):
            return objectstore.look(self._at(key)) is not None

    def keys(self, prefix: str) -> list[str]:
        root = self._at("").key
        with objectstore.explained(self.where(prefix), "list"):
            return [key[len(root) :] for key in objectstore.list_keys(self._at(prefix))]

    def read_if_there(self, key: str) -> bytes | None:
        with objectstore.explained(self.where(key), "read"):
            found = objectstore.read(self._at(key))
        return None if found is None else found[0]

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        yield cast(BinaryIO, io.BufferedReader(RangedFile(self._at(key), OutputError), 1 << 16))

    def write_bytes(self, key: str, content: bytes) -> None:
        with objectstore.explained(self.where(key), "write"):
            objectstore.write(self._at(key), content)

    def write_file(self, key: str, source: str) -> None:
        with objectstore.explained(self.where(key), "write"):
            objectstore.write_file(self._at(key), source)

    @contextmanager
    def new_file(self, key: str) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="vcn-ray-") as folder:
            path = os.path.join(folder, "new")
            try:
                yield path
            except OSError as error:
                raise OutputError(
                    f"cannot write into {tempfile.gettempdir()}: {error.strerror or error}; free some space there, or "
                    "name another folder in the environment variable TMPDIR"
                ) from error
            self.write_file(key, path)

    def delete(self, key: str) -> None:
        with objectstore.explained(self.where(key), "delete"):
            objectstore.delete(self._at(key))

    def delete_below(self, key: str) -> None:
        with objectstore.explained(self.where(key), "delete"):
            objectstore.delete_below(self._at(key))

    def _at(self, key: str) -> Location:
        return Location(self._root.bucket, f"{self._root.key}/{key}" if self._root.key else key)
