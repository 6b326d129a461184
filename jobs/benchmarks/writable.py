"""Where the benchmarks write, looked at before they work for hours."""

from __future__ import annotations

import tempfile
from pathlib import Path

from vcn_ray.errors import OptionError


def require_folder(option: str, folder: Path) -> None:
    """Make the folder if it is missing; `OptionError` naming the option where nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OptionError(f"{option}: {folder} cannot be written ({error.strerror}); name another place") from None


def require_file(option: str, file: Path) -> None:
    """`OptionError` naming the option where the file cannot be written, or replaced if it is there."""
    require_folder(option, file.parent)
    try:
        if file.exists():
            with file.open("ab"):
                pass
    except OSError as error:
        raise OptionError(f"{option}: {file} cannot be written ({error.strerror}); name another place") from None
