"""The command that makes videos: ``vcn-ray overlay``."""

from __future__ import annotations

from typing import Annotated

import typer

from vcn_ray.cli.errors import explained
from vcn_ray.cli.options import Directory, Local, NumCpus, S3Endpoint
from vcn_ray.cli.printing import complain, run_monitor, say, say_what_waits
from vcn_ray.cli.request import file_or_folder, folder, given_options, use_s3_endpoint


def overlay(
    directory: Directory,
    title: Annotated[
        str | None, typer.Argument(metavar="TITLE", help="This title alone.  [default: all]", show_default=False)
    ] = None,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="File to write (.mp4, .mov or .mkv), replaced if it is there; for several videos a folder; or an "
            "s3:// URL of either.",
        ),
    ] = ".",
    video: Annotated[
        str | None, typer.Option(metavar="NAME", help="This video alone, by its file name: of titles with several.")
    ] = None,
    blur: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHO",
            help="Hide this character, and every face that may be theirs: a name, a number of the season's cast, or "
            "Unknown; repeatable.",
        ),
    ] = None,
    blur_all_but: Annotated[
        list[str] | None, typer.Option(metavar="WHO", help="Hide every face but this character's; repeatable.")
    ] = None,
    keep_unknown: Annotated[
        bool, typer.Option("--keep-unknown", help="With --blur: do not hide tracks of whom nobody knows who they are.")
    ] = False,
    sure: Annotated[
        float,
        typer.Option(
            metavar="P", help="With --blur: show a face where it is theirs with at least this probability, 0 to 1."
        ),
    ] = 0.9,
    supercut: Annotated[
        str | None, typer.Option(metavar="WHO", help="This character's shots alone, one after the other.")
    ] = None,
    boxes: Annotated[
        bool | None,
        typer.Option(
            "--boxes/--no-boxes", help="Draw boxes, names and confidence.  [default: unless faces are hidden or cut]"
        ),
    ] = None,
    crf: Annotated[
        int, typer.Option(metavar="N", help="Quality of the picture: lower is better and larger, 0 to 51.")
    ] = 18,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="Of the encoder: ultrafast to veryslow, for smaller files.")
    ] = "veryfast",
    local: Local = False,
    num_cpus: NumCpus = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Ray cluster to work on, as HOST:PORT, or auto.  [default: this machine]"),
    ] = None,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Make videos with who is seen drawn in, with faces hidden, or of one character alone. Audio stays as it is.

    Exit code 1: a video could not be made, and is named; the others are there.
    """
    with explained(interrupted="videos that are finished are there, the others are not"):
        import vcn_ray
        from vcn_ray.overlay.request import OverlayRequest
        from vcn_ray.overlay.season_videos import overlay_season

        use_s3_endpoint(s3_endpoint)
        request = OverlayRequest(
            tuple(blur or ()), tuple(blur_all_but or ()), supercut, keep_unknown, sure, boxes, crf, preset
        )
        from vcn_ray.config import make_options

        options = make_options(given_options([], {"num_cpus": num_cpus, "address": address})).run
        season = vcn_ray.load(folder("DIR", directory))
        say_what_waits(season)
        with run_monitor() as monitor:
            made = overlay_season(
                season,
                file_or_folder("--out", out),
                request,
                title=title,
                video=video,
                executor="local" if local else None,
                options=options,
                monitor=monitor,
            )
        for one in made.videos:
            for remark in one.remarks:
                complain(f"{one.label}: {remark}")
            if one.error:
                complain(one.error if one.label in one.error else f"{one.label}: {one.error}")
            else:
                say(f"wrote {one.where}")
        if request.hides and made.written:
            say(request.promise)
    raise typer.Exit(1 if made.failed else 0)
