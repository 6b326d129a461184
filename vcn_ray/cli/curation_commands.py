"""The commands for what people do to a finished season; nothing but argument handling and printing."""

from __future__ import annotations

import typer

from vcn_ray.cli.errors import explained
from vcn_ray.cli.options import Directory, S3Endpoint
from vcn_ray.cli.printing import print_applied, say
from vcn_ray.cli.request import folder, use_s3_endpoint


def add_curation_commands(app: typer.Typer) -> None:
    """Give the command line these commands."""
    app.command()(apply)


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
