"""What other programs read: a finished season in formats by name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from vcn_ray.errors import OptionError, OutputError
from vcn_ray.export.appearances import write_appearances
from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.mot import write_mot
from vcn_ray.export.formats.paper import write_paper_lists
from vcn_ray.export.formats.rttm import write_turns
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.store import Store

#: Writes a season to a file of this path, or, where a format is several files, into a folder that it makes there.
Exporter = Callable[[FinishedSeason, Path], None]

#: By format, which is also how a file's name ends.
EXPORTERS: dict[str, Exporter] = {
    "csv": write_appearances,
    "mot": write_mot,
    "paper": write_paper_lists,
    "rttm": write_turns,
}


def exporter_of(format_name: str) -> Exporter:
    """The exporter of a format; `OptionError` with the formats that there are where there is none of this name."""
    if format_name not in EXPORTERS:
        raise OptionError(f"no format is called {format_name!r}; there are: {', '.join(EXPORTERS)}")
    return EXPORTERS[format_name]


def export_season(season: FinishedSeason, format_name: str, out: Store, name: str) -> str:
    """Write a season in a format; it is made in this machine's temporary folder and put into its place whole.

    Args:
        season: or a part of one.
        format_name: see `EXPORTERS`.
        out: where the file goes; the folder is made if missing.
        name: of the file, replaced where it is there.

    Returns:
        Path or URL of what was written.

    Raises:
        OptionError: no such format.
        OutputError: the place or the temporary folder cannot be written, or the season's tables not read; a format of
            several files is to go into a folder that holds others.
    """
    exporter = exporter_of(format_name)
    with tempfile.TemporaryDirectory(prefix="vcn-ray-") as folder:
        made = Path(folder, "export")
        try:
            exporter(season, made)
        except OSError as error:
            raise OutputError(
                f"cannot write {format_name} into {tempfile.gettempdir()}: {error.strerror or error}; "
                "free some space there, or name another folder in the environment variable TMPDIR"
            ) from error
        if made.is_dir():
            files = {f"{name}/{path.relative_to(made).as_posix()}": path for path in sorted(made.rglob("*"))}
            files = {key: path for key, path in files.items() if path.is_file()}
            others = sorted(set(out.keys(f"{name}/")) - set(files))
            if others:
                other = others[0].removeprefix(f"{name}/")
                raise OutputError(
                    f"{out.where(name)} holds {other!r}, which is not of this export and would be read with it; "
                    "name another folder with -o, or delete this one first"
                )
            for key, path in files.items():
                out.write_file(key, path)
        else:
            out.write_file(name, made)
    return out.where(name)


def place_and_name(path: str, default_name: str) -> tuple[Store, str]:
    """Where an export goes: the folder that it is in, and its name there.

    Args:
        path: of the file, or of a folder, ending in '/' or there already, for one of the default name; or a URL.
        default_name: of the file.

    Raises:
        OptionError: a URL that names no object.
    """
    if path.endswith("/") or (not is_object_url(path) and Path(path).is_dir()):
        return Store(path), default_name
    parent, _, name = path.rpartition("/")
    if parent == "s3:/":
        raise OptionError(f"{path}: write s3://BUCKET/KEY")
    return Store(parent or ("/" if path.startswith("/") else ".")), name
