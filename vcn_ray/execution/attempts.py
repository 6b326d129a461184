"""One task, attempted: put on record before it starts, its errors made a row, given up when it kills its workers.

A task is a row: ``{"work": root of its title's working store, "step": key, ...}``. It writes its result into the store
itself and gives back a small row, also when it failed: nothing large moves through Ray, and one bad task costs no
other.

Ray repeats a task for ever whose worker dies (a decoder's crash, the kernel's out-of-memory killer), and nothing inside
that worker can help. So an attempt is put on record before it starts; the third gives up with an error row instead.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Callable, Iterator, Sequence

from vcn_ray.errors import VcnError
from vcn_ray.pipeline.tasks import TaskRow
from vcn_ray.storage.store import Store

#: Deaths of its worker after which a task is given up.
MAX_DEATHS = 2

_WORKER_LOG = "vcn_ray.work"


def task_log(title: str, step: str) -> logging.LoggerAdapter[logging.Logger]:
    """What a worker logs by while it does a task of a title: each record bears the title and the step.

    In Ray's log files (`worker_logging`) they are fields of a JSON object beside Ray's own ids of job, node and task;
    by the task's id the other records of the same task are found, too.
    """
    return logging.LoggerAdapter(logging.getLogger(_WORKER_LOG), {"title": title, "step": step})


def attempt(
    work: Callable[[TaskRow], TaskRow], row: TaskRow, run_id: str, where: Callable[[bool], tuple[str, set[str]]]
) -> TaskRow:
    """Do one task; never raises for what is wrong with it.

    Args:
        work: does it and gives numbers worth keeping (JSON-able).
        row: the task; "work", "title" and "step" are read here.
        run_id: attempts of other runs do not count, so that the same command again starts afresh.
        where: gives the id of this node and, if told to look, the ids of all nodes alive; an attempt whose node is gone
            does not count.

    Returns:
        ``title``, ``step``, ``error`` ('' or one sentence), ``traceback`` ('' where the user can mend it), ``stats``
        (JSON), ``retries`` (attempts before this one whose worker died or was lost), ``node`` (its id), ``started``
        and ``ended`` (seconds since 1970, for run times).
    """
    started = time.time()
    log = task_log(row["title"], row["step"])
    log.info("begins")
    stats: TaskRow = {}
    error = trace = this_node = ""
    nodes: list[str] = []
    try:
        store, record = Store(row["work"]), f"{row['step']}.attempts.json"
        nodes = _earlier_attempts(store, record, run_id)
        this_node, alive = where(bool(nodes))
        if sum(node in alive for node in nodes) >= MAX_DEATHS:
            error = f"{row['what']}: its worker died {MAX_DEATHS} times (crash or out of memory); "
            error += "the rest of the season went on; run the same command again to try it once more"
        else:
            store.write_json(record, {"run": run_id, "nodes": [*nodes, this_node]})
            stats = work(row)
            store.delete(record)
    except VcnError as problem:
        error = str(problem)
    except Exception as problem:
        error = f"{row['what']}: unexpected {type(problem).__name__}: {problem}"
        trace = traceback.format_exc()
    log.info(f"failed: {error}" if error else "done")
    return {
        "title": row["title"],
        "step": row["step"],
        "error": error,
        "traceback": trace,
        "stats": json.dumps(stats),
        "retries": len(nodes),
        "node": this_node,
        "started": started,
        "ended": time.time(),
    }


def run_here(rows: Sequence[TaskRow], work: Callable[[TaskRow], TaskRow], run_id: str) -> Iterator[TaskRow]:
    """Do the tasks one after the other in this process."""
    for row in rows:
        yield attempt(work, row, run_id, lambda _: ("here", {"here"}))


def _earlier_attempts(store: Store, record: str, run_id: str) -> list[str]:
    if not store.exists(record):
        return []
    content = store.read_json(record)
    return content["nodes"] if content["run"] == run_id else []
