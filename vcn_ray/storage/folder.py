"""Objects as files below a local folder: atomic writes, errors as sentences."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vcn_ray.errors import OutputError


class Folder:
    """A local folder as a place for objects. A write is a temporary file in the same folder, then a rename."""

    def __init__(self, root: str | os.PathLike[str]):
        self._root = Path(root).expanduser().absolute()
        self.url = str(self._root)

    def where(self, key: str) -> str:
        """Path of an object."""
        return str(self._root / key)

    def exists(self, key: str) -> bool:
        """Whether there is an object."""
        with _explained(self.where(key), "read"):
            return Path(self.where(key)).is_file()

    def keys(self, prefix: str) -> list[str]:
        """Keys that begin so, sorted; temporary objects are left out."""
        folder = self._root.joinpath(*prefix.split("/")[:-1])
        if not folder.is_dir():
            return []
        found = (p.relative_to(self._root).as_posix() for p in folder.rglob("*") if p.is_file())
        return sorted(k for k in found if k.startswith(prefix) and not k.rsplit("/", 1)[-1].startswith(".tmp-"))

    def read_if_there(self, key: str) -> bytes | None:
        """An object's content, None where there is none."""
        with _explained(self.where(key), "read"):
            try:
                return Path(self.where(key)).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """An object as a seekable file."""
        with _explained(self.where(key), "read"), open(self.where(key), "rb") as file:
            yield file

    def write_bytes(self, key: str, content: bytes) -> None:
        """Put an object whole."""
        with self._replacing(key) as file:
            file.write(content)

    def write_file(self, key: str, source: str) -> None:
        """Put the content of a local file whole."""
        with self._replacing(key) as file, open(source, "rb") as content:
            shutil.copyfileobj(content, file)

    @contextmanager
    def new_file(self, key: str) -> Iterator[str]:
        """Path of a temporary file in the same folder, renamed at the end of the block."""
        with self._temporary(key) as temporary:
            yield str(temporary)

    def delete(self, key: str) -> None:
        """Remove one object, if there is one."""
        with _explained(self.where(key), "delete"):
            Path(self.where(key)).unlink(missing_ok=True)

    def delete_below(self, key: str) -> None:
        """Remove a folder with all that is in it, if there is one."""
        with _explained(self.where(key), "delete"):
            if Path(self.where(key)).is_dir():
                shutil.rmtree(self.where(key))

    @contextmanager
    def _replacing(self, key: str) -> Iterator[BinaryIO]:
        with self._temporary(key) as temporary, open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _temporary(self, key: str) -> Iterator[Path]:
        target = Path(self.where(key))
        with _explained(str(target), "write"):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.parent / f".tmp-{uuid.uuid4().hex}"
            try:
                yield temporary
                os.replace(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)


def delete_leftovers(root: str, older_than_s: float = 60.0) -> None:
    """Remove temporary files below a folder that a process which was killed has left; not those of one that writes."""
    for path in Path(root).rglob(".tmp-*"):
        with _explained(str(path), "delete"):
            if path.is_file() and time.time() - path.stat().st_mtime > older_than_s:
                path.unlink(missing_ok=True)


@contextmanager
def _explained(path: str, doing: str) -> Iterator[None]:
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
            errno.EEXIST: "a part of the path is a file, not a folder: choose another --out",
        }
        reason = remedies.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"cannot {doing} {path}: {reason}") from error
