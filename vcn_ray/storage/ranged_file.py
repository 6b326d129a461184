"""An object as a seekable file, read in ranges."""

from __future__ import annotations

import io
import os
from collections import deque
from typing import Any

from vcn_ray.errors import InputError, VcnError
from vcn_ray.storage import objectstore
from vcn_ray.storage.objectstore import Location

_FIRST_BLOCK_BYTES = 256 << 10
_LARGEST_BLOCK_BYTES = 8 << 20
_KEPT_BLOCKS = 4


class RangedFile(io.RawIOBase):
    """An object as a seekable file for reading, fetched in ranges as they are asked for.

    A shard of a video reads the container's index and its own part: of 10 minutes at 6 Mbit/s, a shard of 60 s fetched
    1.08 times its part in 12 requests. So ranges cost about what the shard needs, and there is no copy of the file on
    each machine that would have to be locked, limited and cleared away. Blocks grow while reading goes on in order and
    start small again after a jump; the last few are kept. An object that is replaced meanwhile is an error.

    Args:
        at: the object.
        kind: what errors are raised as, `InputError` for videos.
        version: the object's ETag, where it must be the one that was seen before.
        first_bytes, largest_bytes: of the block after a jump, and of those that blocks grow to.
    """

    def __init__(
        self,
        at: Location,
        kind: type[VcnError] = InputError,
        version: str = "",
        first_bytes: int = _FIRST_BLOCK_BYTES,
        largest_bytes: int = _LARGEST_BLOCK_BYTES,
    ):
        super().__init__()
        self._at, self._kind = at, kind
        with objectstore.explained(at.url, "read", kind):
            found = objectstore.look(at)
        if found is None:
            raise kind(f"{at.url}: there is no such object; check the name")
        self.size_bytes, self._etag = found
        if version not in ("", self._etag):
            raise kind(f"cannot read {at.url}: it was replaced meanwhile: run the same command again")
        self._failed: VcnError | None = None
        self._position = 0
        self._next = -1  # where reading on in order would go on
        self._first_bytes, self._largest_bytes = first_bytes, largest_bytes
        self._block_bytes = first_bytes
        self._blocks: deque[tuple[int, bytes]] = deque(maxlen=_KEPT_BLOCKS)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position of the next read; `ValueError` for one before the start."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size_bytes}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one block reaches; 0 at the end."""
        view = memoryview(buffer).cast("B")
        if not view.nbytes or self._position >= self.size_bytes:
            return 0
        start, block = self._block(self._position)
        offset = self._position - start
        piece = block[offset : offset + view.nbytes]
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _block(self, position: int) -> tuple[int, bytes]:
        for start, block in self._blocks:
            if start <= position < start + len(block):
                return start, block
        if position == self._next:
            self._block_bytes = min(2 * self._block_bytes, self._largest_bytes)
        else:
            self._block_bytes = self._first_bytes
        end = min(position + self._block_bytes, self.size_bytes)
        if self._failed is not None:  # FFmpeg asks again, as if all had not been tried
            raise self._failed
        try:
            with objectstore.explained(self._at.url, "read", self._kind):
                block = objectstore.read_range(self._at, position, end, self._etag)
        except VcnError as error:
            self._failed = error
            raise
        self._next = end
        self._blocks.append((position, block))
        return position, block
