"""Tasks on Ray: by the hundred in one streaming Ray Data Dataset, or one alone.

Ray repeats a task for ever whose worker dies; `attempts.attempt` puts an end to that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from vcn_ray.execution.attempts import attempt
from vcn_ray.pipeline.tasks import TaskRow

# Ray Data's settings are one object of the whole process, read while a Dataset is built: build one at a time.
_BUILDING = threading.Lock()


def run_on_ray(
    rows: Sequence[TaskRow], do: Callable[[TaskRow], TaskRow], run_id: str, name: str, memory_bytes: int = 0
) -> Iterator[TaskRow]:
    """Do the tasks, with one CPU each, in one streaming Dataset; rows come back as they finish, in any order.

    `name` is what Ray's dashboard shows, `memory_bytes` what Ray keeps free for each task. A Dataset under way takes no
    new rows: later tasks need another call.
    """
    import ray
    from ray.data import DataContext, TaskPoolStrategy
    from ray.data.block import BlockAccessor

    def work(row: TaskRow) -> TaskRow:
        return attempt(do, row, run_id, where_is_this)

    work.__name__ = work.__qualname__ = name
    with _BUILDING:
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.execution_no_progress_timeout_s = -1  # one long take, or a cluster that scales up from nothing
        context.execution_options.preserve_order = False
        tasks = ray.data.from_items(list(rows), override_num_blocks=len(rows))
        dataset = tasks.map(work, num_cpus=1, memory=memory_bytes or None, compute=TaskPoolStrategy())
        dataset.set_name(f"{name}_{run_id[:8]}")
    # Not `iter_batches`: without prefetching it leaves a thread behind for each Dataset, with it a row that has landed
    # waits for the next one.
    for bundle in dataset.iter_internal_ref_bundles():
        for entry in bundle.blocks:
            yield from BlockAccessor.for_block(ray.get(entry.ref)).to_arrow().to_pylist()


def run_task(row: TaskRow, do: Callable[[TaskRow], TaskRow], run_id: str, name: str, memory_bytes: int = 0) -> TaskRow:
    """Do one task with one CPU, and wait for it; what dies on the way counts as in a Dataset.

    Raises what Ray raises where it cannot run the task at all.
    """
    import ray

    def work(row: TaskRow) -> TaskRow:
        return attempt(do, row, run_id, where_is_this)

    work.__name__ = work.__qualname__ = name
    task = ray.remote(work).options(
        name=f"{name} {row['title']}",
        num_cpus=1,
        memory=memory_bytes or None,
        max_retries=-1,
        scheduling_strategy="SPREAD",
    )
    return ray.get(task.remote(row))


def where_is_this(look: bool) -> tuple[str, set[str]]:
    """This node's id and, if told to look, the ids of all nodes alive; see `attempts.attempt`."""
    import ray

    alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]} if look else set()
    return ray.get_runtime_context().get_node_id(), alive
