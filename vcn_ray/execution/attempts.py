"""Pieces of work: by the hundred in one streaming Ray Data Dataset, single ones as Ray tasks, or all in this process.

A piece is a row: ``{"work": root of its title's working store, "step": key, ...}``. It writes its result into the store
itself and gives back a small row, also when it failed: nothing large moves through Ray, and one bad piece costs no
other.

Ray repeats a task for ever whose worker dies (a decoder's crash, the kernel's out-of-memory killer), and nothing inside
that worker can help. So an attempt is put on record before it starts; the third gives up with an error row instead.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pyarrow as pa

from vcn_ray.errors import VcnError
from vcn_ray.storage.store import Store

Row = dict[str, Any]

#: Deaths of its worker after which a piece of work is given up.
MAX_DEATHS = 2

_WORKER_LOG = "vcn_ray.work"

# Ray Data's settings are one object of the whole process, read while a Dataset is built: build one at a time.
_BUILDING = threading.Lock()


def piece_log(title: str, step: str) -> logging.LoggerAdapter[logging.Logger]:
    """What a worker logs by while it does a piece of a title: each record bears the title and the step.

    In Ray's log files (`worker_logging`) they are fields of a JSON object beside Ray's own ids of job, node and task;
    by the task's id the other records of the same piece are found, too.
    """
    return logging.LoggerAdapter(logging.getLogger(_WORKER_LOG), {"title": title, "step": step})


def attempt(step: Callable[[Row], Row], row: Row, run_id: str, where: Callable[[bool], tuple[str, set[str]]]) -> Row:
    """Do one piece of work; never raises for what is wrong with the piece.

    Args:
        step: does the work and gives numbers worth keeping (JSON-able).
        row: the piece; "work", "title" and "step" are read here.
        run_id: attempts of other runs do not count, so that the same command again starts afresh.
        where: gives the id of this node and, if told to look, the ids of all nodes alive; an attempt whose node is gone
            does not count.

    Returns:
        ``title``, ``step``, ``error`` ('' or one sentence), ``traceback`` ('' where the user can mend it), ``stats``
        (JSON), ``retries`` (attempts before this one whose worker died or was lost), ``node`` (its id), ``started``
        and ``ended`` (seconds since 1970, for run times).
    """
    started = time.time()
    log = piece_log(row["title"], row["step"])
    log.info("begins")
    stats: Row = {}
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
            stats = step(row)
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


def run_here(rows: Sequence[Row], step: Callable[[Row], Row], run_id: str) -> Iterator[Row]:
    """Do the pieces one after the other in this process."""
    for row in rows:
        yield attempt(step, row, run_id, lambda _: ("here", {"here"}))


def run_on_ray(
    rows: Sequence[Row], step: Callable[[Row], Row], run_id: str, name: str, memory_bytes: int = 0
) -> Iterator[Row]:
    """Do the pieces as tasks of one CPU each in one streaming Dataset; rows come back as they finish, in any order.

    `name` is what Ray's dashboard shows, `memory_bytes` what Ray keeps free for each task. A Dataset under way takes no
    new rows: later pieces need another call.
    """
    import ray
    from ray.data import DataContext, TaskPoolStrategy

    def work(row: Row) -> Row:
        return attempt(step, row, run_id, _where)

    work.__name__ = work.__qualname__ = name
    with _BUILDING:
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.execution_no_progress_timeout_s = -1  # one long take, or a cluster that scales up from nothing
        context.execution_options.preserve_order = False
        pieces = ray.data.from_items(list(rows), override_num_blocks=len(rows))
        dataset = pieces.map(work, num_cpus=1, memory=memory_bytes or None, compute=TaskPoolStrategy())
        dataset.set_name(f"{name}_{run_id[:8]}")
    for batch in dataset.iter_batches(batch_size=None, prefetch_batches=0, batch_format="pyarrow"):
        yield from cast(pa.Table, batch).to_pylist()


def run_task(row: Row, step: Callable[[Row], Row], run_id: str, name: str, memory_bytes: int = 0) -> Row:
    """Do one piece as a Ray task of one CPU, and wait for it; what dies on the way counts as in a Dataset.

    Raises what Ray raises where it cannot run the task at all.
    """
    import ray

    def work(row: Row) -> Row:
        return attempt(step, row, run_id, _where)

    work.__name__ = work.__qualname__ = name
    task = ray.remote(work).options(
        name=f"{name} {row['title']}",
        num_cpus=1,
        memory=memory_bytes or None,
        max_retries=-1,
        scheduling_strategy="SPREAD",
    )
    return ray.get(task.remote(row))


def _earlier_attempts(store: Store, record: str, run_id: str) -> list[str]:
    if not store.exists(record):
        return []
    content = store.read_json(record)
    return content["nodes"] if content["run"] == run_id else []


def _where(look: bool) -> tuple[str, set[str]]:
    import ray

    alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]} if look else set()
    return ray.get_runtime_context().get_node_id(), alive
