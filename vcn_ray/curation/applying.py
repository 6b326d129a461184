"""Corrections brought into a finished season's tables, pages and cast, without a network and without Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from vcn_ray.corrections.correction_file import corrections_digest, read_corrections
from vcn_ray.curation.removal import finish_removal
from vcn_ray.errors import InputError
from vcn_ray.pipeline.layout import RESULTS
from vcn_ray.pipeline.outputs.season_outputs import apply_to_tables, finished_titles
from vcn_ray.storage.lock import Lock, only_run_in
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
        InputError: there is no finished season, a later run has begun to change it, or the file of corrections is not
            as it should be.
        OutputError: a run is writing there, or it cannot be written.
    """
    started = time.monotonic()
    if not out.exists(RECORD_KEY):
        raise InputError(
            f"{out.url}: no finished run is there ({RECORD_KEY} is missing); give the folder named by --out"
        )
    read_corrections(out)  # what is wrong with them is said before anybody is waited for
    with only_run_in(out, say) as lock:
        finish_removal(out, lock)
        applied = apply_now(out, lock)
    return replace(applied, seconds=time.monotonic() - started)


def apply_now(out: Store, lock: Lock) -> Applied:
    """As `apply_to_season`, for whoever holds the lock on a finished season's folder."""
    corrections, record = read_corrections(out), out.read_json(RECORD_KEY)
    check_whole(out, record)
    out.write_json(RECORD_KEY, record | {"corrections": ""})  # vouches for no corrections while they are written
    corrected = apply_to_tables(out, corrections)
    lock.check()
    out.write_json(RECORD_KEY, record | {"corrections": corrections_digest(corrections)})
    return Applied(len(corrections), corrected.written, [str(problem) for problem in corrected.problems])


def corrections_wait(out: Store) -> bool:
    """Whether `corrections.yaml` of a finished season says other than its tables hold."""
    return bool(out.read_json(RECORD_KEY).get("corrections") != corrections_digest(read_corrections(out)))


def check_whole(out: Store, record: Mapping[str, Any]) -> None:
    """`InputError` where a title's results are not those that the season's record vouches for."""
    finished_titles(out)
    digests: dict[str, str] = record.get("digests", {})

    def is_done(slug: str) -> bool:
        return out.child("titles", slug, "work").is_done(RESULTS, digests[slug])

    with ThreadPoolExecutor(8) as pool:  # in an object store each look takes a while
        done = dict(zip(digests, pool.map(is_done, digests), strict=True))
    changed = [title["id"] for title in record["titles"] if not done.get(title["slug"], True)]
    if changed:
        raise InputError(
            f"{out.url}: a run was stopped after it had begun to change {', '.join(changed)}; run the same "
            "`vcn-ray run` command again, which brings the corrections in as well"
        )
