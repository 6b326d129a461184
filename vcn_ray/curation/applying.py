"""Corrections brought into a finished season's tables, pages and cast, without a network and without Ray."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from vcn_ray.corrections.correction_file import corrections_digest, read_corrections
from vcn_ray.errors import InputError
from vcn_ray.pipeline.outputs.season_outputs import apply_to_tables
from vcn_ray.storage.lock import only_run_in
from vcn_ray.storage.store import Store

RECORD_KEY = "season.json"


@dataclass(frozen=True)
class Applied:
    """What applying corrections came to."""

    corrections: int  # in the file
    written: list[str]  # titles whose tables are new
    problems: list[str] = field(default_factory=list)  # a sentence for each correction that does not fit
    seconds: float = 0.0


def apply_to_season(out: Store, say: Callable[[str], None] = lambda sentence: None) -> Applied:
    """Bring a season's ``corrections.yaml`` into its tables, pages and cast.

    Only titles that a correction changes are written anew. Killed half-way, it is done again by the next one, and by
    the next run.

    Args:
        out: the season's folder.
        say: told why it waits.

    Raises:
        InputError: there is no finished season, or the file of corrections is not as it should be.
        OutputError: a run is writing there, or it cannot be written.
    """
    started = time.monotonic()
    if not out.exists(RECORD_KEY):
        raise InputError(
            f"{out.url}: no finished run is there ({RECORD_KEY} is missing); give the folder named by --out"
        )
    corrections = read_corrections(out)
    with only_run_in(out, say) as lock:
        record = out.read_json(RECORD_KEY)
        out.write_json(RECORD_KEY, record | {"corrections": ""})  # vouches for no corrections while they are written
        corrected = apply_to_tables(out)
        lock.check()
        out.write_json(RECORD_KEY, record | {"corrections": corrections_digest(corrections)})
    sentences = [str(problem) for problem in corrected.problems]
    return Applied(len(corrections), corrected.written, sentences, time.monotonic() - started)
