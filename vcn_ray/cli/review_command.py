"""The command `review`: the page on which a season's cast is checked, corrected and named."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Annotated, Any

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

        asyncio.run(_until_ended(serve(ReviewServer(session, saver, guard), at, started)))
        problem = saver.close()
        if problem is not None:
            complain(f"corrections are kept, but the tables are without the last of them: {problem}")
            raise typer.Exit(3)


async def _until_ended(serving: Coroutine[Any, Any, None]) -> None:
    """Serve until Ctrl-C, or until the process or its terminal is to end; a signal that is ignored stays so (nohup)."""
    task = asyncio.ensure_future(serving)
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is not signal.SIG_IGN:
            # Not by an exception: that would be raised wherever the loop is, in somebody's request.
            asyncio.get_running_loop().add_signal_handler(ending, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
