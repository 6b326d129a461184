"""Where results live: one small class over a folder of objects, with atomic writes and done-markers.

A write is one object put whole: on a file system a temporary name in the same folder, then a rename. A step is done
when its marker exists and bears the digest of its inputs and options; anything else is redone.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vcn_ray.errors import OutputError


def digest(*parts: Any) -> str:
    """Hex digest (16 characters) of JSON-able parts; equal parts give equal digests on every machine."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Store:
    """A folder of objects, addressed by '/'-separated keys.

    Only this class touches the place where results are kept, so that another kind of place needs another Store and
    nothing else. It pickles as its root, so Ray workers can be handed one. Errors of the file system surface as
    `OutputError` with the path and the remedy.
    """

    def __init__(self, root: str | os.PathLike[str]):
        self.root = Path(root).expanduser().absolute()

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def child(self, *names: str) -> Store:
        """The store below this one."""
        return Store(self.root.joinpath(*names))

    def path(self, key: str) -> Path:
        """Local path of an object; for messages and for libraries that want a file name."""
        return self.root / key

    def exists(self, key: str) -> bool:
        """Whether an object of this key has been written."""
        with _explained(self.path(key), "read"):
            return self.path(key).is_file()

    def keys(self, prefix: str = "") -> list[str]:
        """Keys of all objects whose key starts with the prefix, sorted; temporary objects are left out."""
        if not self.root.is_dir():
            return []
        found = (p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())
        return sorted(k for k in found if k.startswith(prefix) and not k.rsplit("/", 1)[-1].startswith(".tmp-"))

    def read_bytes(self, key: str) -> bytes:
        """An object's content; `OutputError` when it is missing or unreadable."""
        with _explained(self.path(key), "read"):
            return self.path(key).read_bytes()

    def write_bytes(self, key: str, content: bytes) -> None:
        """Put an object whole: readers see the old content or the new, never a part."""
        target = self.path(key)
        with _explained(target, "write"):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.parent / f".tmp-{uuid.uuid4().hex}"
            try:
                with open(temporary, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)

    def delete(self, key: str) -> None:
        """Remove an object, or everything below a folder; nothing happens where there is none."""
        target = self.path(key)
        with _explained(target, "delete"):
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)

    def read_json(self, key: str) -> Any:
        """An object parsed as JSON; `OutputError` when it is damaged."""
        try:
            return json.loads(self.read_bytes(key))
        except ValueError as error:
            raise OutputError(f"{self.path(key)} is damaged ({error}); delete it and run again") from None

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
        with _explained(self.path(key), "read"), open(self.path(key), "rb") as source:
            try:
                file = pq.ParquetFile(source)
                if rows is None:
                    return file.read(columns)
                ends = np.cumsum([file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)])
                group_of_row = np.searchsorted(ends, rows, side="right")
                groups = np.unique(group_of_row)
                sizes = np.diff(ends, prepend=0)[groups]
                offset = (ends - np.diff(ends, prepend=0))[groups] - (np.cumsum(sizes) - sizes)
                position = np.asarray(rows, np.int64) - offset[np.searchsorted(groups, group_of_row)]
                return file.read_row_groups(groups.tolist(), columns).take(pa.array(position))
            except pa.ArrowException as error:
                raise OutputError(f"{self.path(key)} is damaged ({error}); delete it and run again") from None

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
        self.delete(f"{step}.done.json")

    def mark_done(self, step: str, inputs_digest: str, **info: Any) -> None:
        """Record that a step has been done for these inputs; `info` (times, counts) is for people and reports."""
        self.write_json(f"{step}.done.json", {"digest": inputs_digest, **info})

    def done_info(self, step: str, inputs_digest: str) -> dict[str, Any] | None:
        """The marker's content when the step has been done for exactly these inputs, else None."""
        key = f"{step}.done.json"
        if not self.exists(key):
            return None
        try:
            marker = self.read_json(key)
        except OutputError:
            return None
        return marker if isinstance(marker, dict) and marker.get("digest") == inputs_digest else None

    def is_done(self, step: str, inputs_digest: str) -> bool:
        """Whether the step has been done for exactly these inputs."""
        return self.done_info(step, inputs_digest) is not None


@contextmanager
def _explained(path: Path, doing: str) -> Iterator[None]:
    """Turn errors of the file system into sentences."""
    try:
        yield
    except OSError as error:
        remedies = {
            errno.ENOSPC: "no space is left on the disk: free some and run the same command again",
            errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
            errno.EACCES: "permission denied: choose another --out or change its permissions",
            errno.EPERM: "permission denied: choose another --out or change its permissions",
            errno.EROFS: "the file system is read-only: choose another --out",
            errno.ENOENT: "no such file or folder: check the path",
            errno.ENOTDIR: "a part of the path is a file, not a folder: choose another --out",
        }
        reason = remedies.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"cannot {doing} {path}: {reason}") from error
