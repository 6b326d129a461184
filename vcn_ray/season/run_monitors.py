"""Everything that listens to a run, started before it and closed after it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from vcn_ray.config import RunOptions
from vcn_ray.errors import OutputError
from vcn_ray.execution.on_ray.prometheus import Metrics
from vcn_ray.execution.on_ray.session import machines_if_up
from vcn_ray.monitoring.event_log import EventLog
from vcn_ray.monitoring.monitor import Monitor, MonitorGroup
from vcn_ray.monitoring.status import StatusFile
from vcn_ray.monitoring.summary import SUMMARY_KEY, Summary
from vcn_ray.storage.store import Store


@contextmanager
def watched(
    monitor: Monitor, out: Store, options: RunOptions, run_id: str, lost: threading.Event
) -> Iterator[tuple[Monitor, Summary]]:
    """Who is to be told of a run: the given monitor, status file, log, metrics, summary; and the summary itself.

    To be left while Ray is still up. Of a run that found all done, neither log nor summary is written; once `lost` is
    set the place is another run's, and neither summary nor status is.
    """
    status, log, metrics = StatusFile(out, lost), EventLog(out, run_id), Metrics(run_id)
    summary = Summary(options, machines_if_up)
    state = "stopped"
    try:
        yield MonitorGroup(monitor, status, log, metrics, summary), summary
        state = "finished"
    finally:
        metrics.close()
        summary.close()
        log.close()
        with suppress(OutputError):  # the run finds out by itself that the place cannot be written
            if summary.worked and not lost.is_set():
                out.write_json(SUMMARY_KEY, summary.to_json())
        status.close(state)
