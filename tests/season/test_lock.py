"""One run at a time in a folder; what cannot be locked is told apart from what is locked."""

import errno
import fcntl
from pathlib import Path
from typing import Any

import pytest

from vcn_ray.errors import OutputError
from vcn_ray.season.lock import only_run_in
from vcn_ray.storage import Store


@pytest.mark.parametrize(
    ("number", "says"), [(errno.EWOULDBLOCK, "another run is writing there"), (errno.ENOLCK, "cannot lock a file")]
)
def test_folder_that_cannot_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OutputError, match=says), only_run_in(Store(tmp_path)):
        pass
