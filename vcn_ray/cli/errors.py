"""How the commands fail: one sentence, an exit code, and never a traceback on the screen."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from vcn_ray.cli.printing import complain
from vcn_ray.cli.request import folder
from vcn_ray.errors import InputError, VcnError

if TYPE_CHECKING:
    from vcn_ray.season.outcome import SeasonOutcome

UNEXPECTED = 4
INTERRUPTED = 130
_FAULT_LOG = "unexpected-error.log"


@contextmanager
def explained(
    out: str | None = None, interrupted: str = "finished steps are kept, the same command goes on from there"
) -> Iterator[None]:
    """Any error becomes one sentence and an exit code; what no user caused leaves its traceback in a file, in `out`.

    `interrupted` says what is left after Ctrl-C.
    """
    try:
        yield
    except VcnError as error:
        complain(str(error))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        complain(f"interrupted: {interrupted}")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # `| head`; typer ends quietly
        raise
    except Exception as error:
        log = _write_fault(out, traceback.format_exc())
        text = " ".join(str(error).split())
        complain(f"this is a fault of vcn-ray: {type(error).__name__}: {text}; please report it with {log}")
        raise typer.Exit(UNEXPECTED) from None


def _write_fault(out: str | None, trace: str) -> str:
    """The file that the traceback is in: in the folder of results or, where that cannot be written, a temporary one."""
    if out is not None:
        from vcn_ray.storage.store import Store

        try:
            store = Store(folder("--out", out))
            store.write_bytes(_FAULT_LOG, trace.encode())
            return store.where(_FAULT_LOG)
        except VcnError:
            pass
    with tempfile.NamedTemporaryFile("w", prefix="vcn-ray-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write(trace)
    return file.name


def exit_code(outcome: SeasonOutcome) -> int:
    """Of a run that came to its end."""
    if outcome.failed and all(title.error is not None and title.stage == "probe" for title in outcome.titles):
        return InputError.exit_code
    return 1 if outcome.failed or outcome.refused else 0
