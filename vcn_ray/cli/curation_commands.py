"""The commands for what people do to a finished season; nothing but argument handling and printing."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vcn_ray.cli.errors import explained
from vcn_ray.cli.options import Directory, S3Endpoint
from vcn_ray.cli.people_printing import print_found, print_names
from vcn_ray.cli.printing import print_applied, print_forgotten, say
from vcn_ray.cli.request import file_or_folder, folder, use_s3_endpoint
from vcn_ray.errors import OptionError


def add_curation_commands(app: typer.Typer) -> None:
    """Give the command line these commands."""
    app.command()(apply)
    app.command()(name)
    app.command()(find)
    app.command()(forget)


def apply(directory: Directory, s3_endpoint: S3Endpoint = None) -> None:
    """Bring DIR/corrections.yaml into tables, pages, cast: names, merges, splits. Takes seconds, trains nothing.

    Exit code 1: a correction no longer fits, and is named; all others are there.
    """
    with explained():
        from vcn_ray.curation.applying import apply_to_season
        from vcn_ray.storage.store import Store

        use_s3_endpoint(s3_endpoint)
        applied = apply_to_season(Store(folder("DIR", directory)), say)
        print_applied(applied)
    raise typer.Exit(1 if applied.problems else 0)


def name(
    directory: Directory,
    gallery: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Reference pictures as Name/picture.jpg or Name.jpg, or another season's results; or a URL of either.",
        ),
    ],
    least: Annotated[
        float, typer.Option(metavar="P", help="Name somebody where the probability is above this, 0.5 to 1.")
    ] = 0.5,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Name the cast by reference pictures, or by an earlier season; what people said goes before.

    Names that a gallery gave before are replaced. DIR/names.csv has the alternatives of everybody. Exit code 1: a
    picture cannot be used, or a correction no longer fits, and is named; the others are there.
    """
    with explained():
        use_s3_endpoint(s3_endpoint)
        complete = name_by_gallery(folder("DIR", directory), gallery, least)
    raise typer.Exit(0 if complete else 1)


def name_by_gallery(directory: str, gallery: str, least: float = 0.5) -> bool:
    """Name a finished season and print how; whether every picture and correction could be used."""
    from vcn_ray.curation.naming import name_season
    from vcn_ray.storage.store import Store

    names = name_season(Store(directory), folder("--gallery", gallery), least=least, say=say)
    print_names(names)
    return not names.problems and not names.applied.problems


def find(
    picture: Annotated[
        str, typer.Argument(metavar="PICTURE", help="A picture of the person alone, or a folder of such; or a URL.")
    ],
    directories: Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders of results, or their URLs.")],
    out: Annotated[
        list[str] | None,
        typer.Option("--out", "-o", metavar="PATH", help="File or URL to write, .csv or .html; repeatable."),
    ] = None,
    least: Annotated[
        float, typer.Option(metavar="P", help="List characters whose probability is above this, 0 to 1.")
    ] = 0.5,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Find a person in finished seasons: as whom and when they are seen, how probable that is, or that they are not.

    Exit code 1: a picture or a season cannot be used, and is named; the others are searched.
    """
    with explained():
        from vcn_ray.curation.finding import find_person
        from vcn_ray.curation.found_outputs import check_ending, write_found

        use_s3_endpoint(s3_endpoint)
        files = [file_or_folder("--out", path) for path in out or []]
        for path in files:
            check_ending(path)  # a wrong one is told before anything is read
        seasons = [folder("DIR", directory) for directory in directories]
        found = find_person([file_or_folder("PICTURE", picture)], seasons, least=least)
        print_found(found)
        for path in files:
            say(f"wrote {write_found(found, path)}")
    raise typer.Exit(1 if found.problems else 0)


def forget(
    directory: Directory,
    character: Annotated[
        str | None,
        typer.Option(metavar="WHO", help="A name, 'Cast 3' or 3. Without: who was to be forgotten and still is there."),
    ] = None,
    gallery: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Delete their pictures in this gallery as well.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Remove a person from results, working data, corrections, and from runs to come; then search for what is left.

    Exit code 1: something is left, or may be; the table says what, where and why.
    """

    def confirmed(question: str) -> bool:
        if yes:
            return True
        if not sys.stdin.isatty():
            raise OptionError("forget asks before it removes anything; where nobody can answer, give --yes")
        return typer.confirm(question)

    with explained():
        from vcn_ray.curation.forgetting import forget_person
        from vcn_ray.storage.store import Store

        use_s3_endpoint(s3_endpoint)
        pictures = None if gallery is None else Store(folder("--gallery", gallery))
        forgotten = forget_person(
            Store(folder("DIR", directory)), character, gallery=pictures, confirm=confirmed, say=say
        )
        if forgotten is None:
            say("nothing was changed")
            raise typer.Exit(1)
        print_forgotten(forgotten)
    raise typer.Exit(1 if forgotten.left else 0)
