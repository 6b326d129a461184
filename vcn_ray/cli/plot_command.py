"""The command that draws: ``vcn-ray plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcn_ray.cli.errors import explained
from vcn_ray.cli.options import Directory, S3Endpoint, Title
from vcn_ray.cli.printing import complain, say
from vcn_ray.cli.request import file_or_folder, folder, use_s3_endpoint


def plot(
    directory: Directory,
    figure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="quality, lightness, blur, tsne, sheets, iterations or times; repeatable.  [default: all]",
        ),
    ] = None,
    title: Title = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Labelled faces: for iterations, and beside the result in tsne and sheets."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="Folder or s3:// URL to write PNG and SVG into, or one .png or .svg.  "
            "[default: figures/ in DIR and in its titles' folders; their pages then lead there]",
        ),
    ] = None,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Draw the figures of the paper's supplement: faces, t-SNE, WCP and PCR over iterations, times.

    Exit code 0: all are drawn; 1: some are, and a sentence says why the others are not.
    """
    with explained():
        import vcn_ray

        use_s3_endpoint(s3_endpoint)
        season = vcn_ray.load(folder("DIR", directory))
        place = None if out is None else file_or_folder("--out", out)
        truth = None if ground_truth is None else str(ground_truth)
        from vcn_ray.season.evaluation_pages import show_figures
        from vcn_ray.season.plotting import Plot, write_plots

        problems, drawn = 0, list[Plot]()
        for one, written in write_plots(season, figure or [], title, truth, place):
            if isinstance(one, Plot):
                drawn.append(Plot(one.name, one.title, one.folder, {}))
                say(f"wrote {', '.join(written)}")
            else:
                problems += 1
                complain(one)
        if not figure and truth is None:
            say("iterations is left out: it needs ground truth (--ground-truth)")
        if place is None and drawn:
            of_season = any(one.folder is None for one in drawn)
            slugs = [one.slug for one in season.titles if one.error is None]
            for sentence in show_figures(season, [s for s in slugs if of_season or s in {o.folder for o in drawn}]):
                problems += 1
                complain(sentence)
    raise typer.Exit(1 if problems else 0)
