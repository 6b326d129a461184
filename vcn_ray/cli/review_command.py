"""The command `review`: the page on which a season's cast is checked, corrected and named."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from vcn_ray.cli.errors import explained
from vcn_ray.cli.options import Directory, S3Endpoint
from vcn_ray.cli.printing import complain, say
from vcn_ray.cli.request import folder, use_s3_endpoint

By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who you are, in corrections.yaml.  [default: your login]")
]


def review(
    directory: Directory,
    port: Annotated[
        int, typer.Option(metavar="N", help="Of this machine, to serve the page at.  [default: any]", min=0, max=65535)
    ] = 0,
    by: By = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, open no browser.")] = False,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Serve a page on this machine on which the cast is checked, corrected and named; Ctrl-C ends it.

    What is said there is kept in DIR's corrections.yaml, and is in the tables, pages and exports seconds later.
    """
    with explained():
        import asyncio
        import signal
        import threading
        import webbrowser

        from vcn_ray.curation.applying import apply_to_season
        from vcn_ray.review.guard import Guard
        from vcn_ray.review.saving import Saver
        from vcn_ray.review.server import ReviewServer, listen, serve
        from vcn_ray.review.session import ReviewSession
        from vcn_ray.review.stored_season import StoredSeason
        from vcn_ray.storage.lock import user_name
        from vcn_ray.storage.store import Store

        use_s3_endpoint(s3_endpoint)
        out = Store(folder("DIR", directory))
        at = listen(port)
        saver = Saver(lambda: apply_to_season(out))
        guard = Guard(at.getsockname()[1])
        session = ReviewSession(StoredSeason(out), by or user_name(), saver.edited)

        def started() -> None:
            say(guard.address)
            if not no_browser:  # a browser without windows would not come back
                threading.Thread(target=webbrowser.open, args=(guard.address_for_once(),), daemon=True).start()

        for ending in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: tables are written, pieces of films deleted
            if signal.getsignal(ending) is not signal.SIG_IGN:
                signal.signal(ending, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            asyncio.run(serve(ReviewServer(session, saver, guard), at, started))
        problem = saver.close()
        if problem is not None:
            complain(f"corrections are kept, but the tables are without the last of them: {problem}")
            raise typer.Exit(3)
