"""What other programs read: a finished season in formats by name."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from vcn_ray.errors import OptionError, OutputError
from vcn_ray.export.appearances import write_appearances
from vcn_ray.export.editorial.marker_fcpxml import write_fcpxml_markers
from vcn_ray.export.editorial.marker_lists import write_avid_log, write_avid_markers, write_resolve_markers
from vcn_ray.export.editorial.marker_timelines import write_fcp7_markers, write_otio_markers
from vcn_ray.export.editorial.stringout_aaf import write_aaf_stringouts
from vcn_ray.export.editorial.stringout_edl import write_edl_stringouts
from vcn_ray.export.editorial.stringout_fcpxml import write_fcpxml_stringouts
from vcn_ray.export.editorial.stringout_timelines import write_fcp7_stringouts, write_otio_stringouts
from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.cast_sheet import write_cast_sheet
from vcn_ray.export.formats.coco import write_coco
from vcn_ray.export.formats.ebucore import write_ebucore
from vcn_ray.export.formats.indexer_json import write_indexer_json
from vcn_ray.export.formats.label_studio import write_label_studio
from vcn_ray.export.formats.mot import write_mot
from vcn_ray.export.formats.paper import write_paper_lists
from vcn_ray.export.formats.rttm import write_turns
from vcn_ray.export.formats.thumbnails import write_thumbnails
from vcn_ray.export.formats.webvtt import write_webvtt
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.store import Store

#: Writes a season to a file of this path, or, where a format is several files, into a folder that it makes there; gives
#: sentences of what the user should know of it. Options that the format takes come by name.
Writer = Callable[..., Iterable[str] | None]


@dataclass(frozen=True)
class Format:
    """A format: what writes it, what to tell of it, how its file's name ends, and which options it takes.

    All options but `start_timecode` are arguments of the writer; that one changes what the season tells of its videos.
    """

    write: Writer
    shows: str
    ending: str
    options: Collection[str] = ()


class Exported(NamedTuple):
    """What an export wrote: path or URL, and sentences that the user should know."""

    where: str
    remarks: tuple[str, ...] = ()

    def __fspath__(self) -> str:
        return self.where


#: What options are called on a command line.
_FLAGS = {"handles_frames": "--handles", "start_timecode": "--start-timecode"}
_TIMECODE = ("start_timecode",)
_STRINGOUT = ("handles_frames", *_TIMECODE)

#: By name.
EXPORTERS: dict[str, Format] = {
    "coco": Format(write_coco, "boxes as COCO with videos and tracks has them, to train on", "json"),
    "csv": Format(write_appearances, "who is on screen when, for spreadsheets", "csv"),
    "csv-cast": Format(write_cast_sheet, "the cast and its seconds in each title, for spreadsheets", "csv"),
    "ebucore": Format(write_ebucore, "who is in a video and when, for archives", "xml", _TIMECODE),
    "indexer-json": Format(write_indexer_json, "people as a cloud video indexer tells them, with pictures", "json"),
    "label-studio": Format(write_label_studio, "tracks to correct in Label Studio; a folder", "label-studio"),
    "markers-ale": Format(
        write_avid_log, "Avid Log Exchange: a clip an appearance of each character", "ale", _TIMECODE
    ),
    "markers-avid": Format(write_avid_markers, "Avid Media Composer's markers as text", "txt", _TIMECODE),
    "markers-fcp7": Format(
        write_fcp7_markers, "Final Cut Pro 7 XML, for Premiere: a sequence with markers", "xml", _TIMECODE
    ),
    "markers-fcpxml": Format(
        write_fcpxml_markers, "Final Cut Pro: a project with markers and keywords", "fcpxml", _TIMECODE
    ),
    "markers-otio": Format(write_otio_markers, "OpenTimelineIO: a timeline with markers", "otio", _TIMECODE),
    "markers-resolve": Format(write_resolve_markers, "DaVinci Resolve's marker EDL", "edl", _TIMECODE),
    "mot": Format(write_mot, "boxes as the MOT challenge has them; a folder", "mot"),
    "paper": Format(write_paper_lists, "lists of tracks, frame and box; a folder", "paper"),
    "rttm": Format(write_turns, "who is on screen when, as diarisation has it", "rttm"),
    "stringout-aaf": Format(
        write_aaf_stringouts, "AAF, for Media Composer: all shots of a character", "aaf", _STRINGOUT
    ),
    "stringout-edl": Format(write_edl_stringouts, "CMX3600 EDL: all shots of a character", "edl", _STRINGOUT),
    "stringout-fcp7": Format(
        write_fcp7_stringouts, "Final Cut Pro 7 XML, for Premiere: all shots of a character", "xml", _STRINGOUT
    ),
    "stringout-fcpxml": Format(
        write_fcpxml_stringouts, "Final Cut Pro: projects of all shots of a character", "fcpxml", _STRINGOUT
    ),
    "stringout-otio": Format(write_otio_stringouts, "OpenTimelineIO: all shots of a character", "otio", _STRINGOUT),
    "webvtt": Format(write_webvtt, "who is on screen, as captions of a player", "vtt"),
    "webvtt-thumbnails": Format(
        write_thumbnails, "pictures of the film for a player's scrub bar; a folder", "webvtt-thumbnails"
    ),
}


def check_export(format_name: str, options: Collection[str] = ()) -> Format:
    """The format of a name; `OptionError` where there is none, or where it does not take one of the options."""
    if format_name not in EXPORTERS:
        near = difflib.get_close_matches(format_name, EXPORTERS, n=1)
        hint = f"did you mean {near[0]!r}? There are" if near else "there are"
        raise OptionError(f"no format is called {format_name!r}; {hint}: {', '.join(EXPORTERS)}")
    for option in options:
        if option not in EXPORTERS[format_name].options:
            takers = [name for name, other in EXPORTERS.items() if option in other.options]
            flag = _FLAGS.get(option, option)
            raise OptionError(f"{format_name} takes no {flag}; leave it out, or export one of {', '.join(takers)}")
    return EXPORTERS[format_name]


def default_name(of: str, format_name: str) -> str:
    """An export's name where none is given: as the results, with the format where its ending does not tell."""
    ending = EXPORTERS[format_name].ending
    return f"{of}.{ending}" if ending == format_name else f"{of}-{format_name}.{ending}"


def export_season(
    season: FinishedSeason,
    format_name: str,
    out: Store,
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    may_be_out: bool = False,
) -> Exported:
    """Write a season in a format; it is made in this machine's temporary folder and put into its place whole.

    Args:
        season: or a part of one.
        format_name: see `EXPORTERS`.
        out: where the file goes; the folder is made if missing.
        name: of the file, replaced where it is there; several files go into a folder of this name without the ending.
        options: that the format takes, by name.
        may_be_out: several files go into `out` itself where some of them are there already, of an earlier export.

    Raises:
        OptionError: no such format or option.
        OutputError: the place or the temporary folder cannot be written, or the season's tables not read; a format of
            several files is to go into a folder that holds others.
    """
    exporter = check_export(format_name, options or {})
    with tempfile.TemporaryDirectory(prefix="vcn-ray-") as folder:
        made = Path(folder, "export")
        try:
            remarks = tuple(exporter.write(season, made, **(options or {})) or ())
        except OSError as error:
            raise OutputError(
                f"cannot write {format_name} into {tempfile.gettempdir()}: {error.strerror or error}; "
                "free some space there, or name another folder in the environment variable TMPDIR"
            ) from error
        if made.is_dir():
            if exporter.ending != format_name:
                name = name.removesuffix(f".{exporter.ending}")
            files = {path.relative_to(made).as_posix(): path for path in sorted(made.rglob("*")) if path.is_file()}
            again = may_be_out and any(out.exists(key) for key in files)
            into, where = (out, out.url) if again else (out.child(name), out.where(name))
            others = sorted(set(into.keys("")) - set(files))
            if others:
                other = others[0]
                raise OutputError(
                    f"{where} holds {other!r}, which is not of this export and would be read with it; "
                    "name another folder with -o, or delete this one first"
                )
            for key, path in files.items():
                into.write_file(key, path)
            return Exported(where, remarks)
        out.write_file(name, made)
    return Exported(out.where(name), remarks)


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
