"""The command that writes for other programs: ``vcn-ray export``."""

from __future__ import annotations

from typing import Annotated

import typer

from vcn_ray.cli.errors import explained
from vcn_ray.cli.options import S3Endpoint, Title
from vcn_ray.cli.printing import complain, say, say_what_waits
from vcn_ray.cli.request import file_or_folder, folder, use_s3_endpoint
from vcn_ray.errors import OptionError


def export(
    directory: Annotated[
        str | None, typer.Argument(metavar="DIR", help="Folder of results (--out of a run), or its URL.")
    ] = None,
    *,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="Format; `--to help` lists them.")],
    title: Title = None,
    character: Annotated[
        str | None,
        typer.Option(metavar="WHO", help="This character alone: a name, a number of the season's cast, or Unknown."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="File to write, or s3://BUCKET/KEY, replaced if it is there; for several files a folder "
            "that holds nothing else.  [default: DIR's name, in this folder]",
        ),
    ] = None,
    start_timecode: Annotated[
        str | None,
        typer.Option(
            metavar="TIMECODE", help="Of each video's first frame, as 10:00:00:00.  [default: what the file says]"
        ),
    ] = None,
    handles: Annotated[
        int | None,
        typer.Option(metavar="FRAMES", min=0, help="Stringouts: so many frames more at both ends."),
    ] = None,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Write results in a format that other programs read."""
    with explained():
        from vcn_ray.export.exporters import EXPORTERS, check_export

        if to == "help":
            width = max(map(len, EXPORTERS))
            for name, known in EXPORTERS.items():
                say(f"{name:{width}}  {known.shows}")
            return
        options = {} if handles is None else {"handles_frames": handles}
        check_export(to, options)  # a wrong one is told before anything is read
        if directory is None:
            raise OptionError("name the folder of results to export: vcn-ray export DIR --to FORMAT")
        import vcn_ray

        use_s3_endpoint(s3_endpoint)
        season = vcn_ray.load(folder("DIR", directory))
        say_what_waits(season)
        exported = season.export(
            to,
            "./" if out is None else file_or_folder("--out", out),
            title=title,
            character=character,
            start_timecode=start_timecode,
            **options,
        )
        for remark in exported.remarks:
            complain(remark)
        say(f"wrote {exported.where}")
