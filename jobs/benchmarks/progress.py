"""How far a benchmark is: a bar on a terminal, else a line on stderr now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

_EVERY_S = 60.0


def tell(text: str) -> None:
    """Print a line on stderr at once."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def counted(what: str, total: int, clock_s: Callable[[], float] = time.monotonic) -> Iterator[Callable[[], None]]:
    """Show how many pieces of work are done; what is given is to be called after each."""
    console = Console(stderr=True)
    if console.is_terminal:
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task(what, total=total)
            yield lambda: progress.advance(bar)
        return
    done, told = 0, clock_s()

    def advance() -> None:
        nonlocal done, told
        done += 1
        if done == total or clock_s() - told >= _EVERY_S:
            told = clock_s()
            tell(f"{what}: {done} of {total}")

    yield advance
