"""A title's workers on Ray Train: whose fault it is when they end, and that nothing but time is lost."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import ray.train.torch
import torch
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError
from ray.train import ControllerError, PreemptionError, PreemptionInfo, WorkerGroupError
from ray.train.v2._internal.exceptions import (
    InsufficientClusterResourcesError,
    UserExceptionWithTraceback,
    WorkerGroupStartupTimeoutError,
    WorkerHealthCheckFailedError,
)
from support import PROGRAM_ENVIRONMENT, preempted_machine, tiny_title
from support.counting_stages import CountingStages

from vcn_ray.adapt.workers import PeerLostError, Workers
from vcn_ray.config import make_options
from vcn_ray.errors import InputError, OptionError
from vcn_ray.execution.base import AdaptationTask
from vcn_ray.execution.on_ray.failures import NodeWatch, TitleError
from vcn_ray.execution.on_ray.train import Resources, adapt_on_ray
from vcn_ray.storage.store import Store

_DRAINED = PreemptionError(PreemptionInfo(None, {"b": [0]}), True)


def _group(*failures: Exception) -> WorkerGroupError:
    """The error of a group whose workers failed by these, one each."""
    return WorkerGroupError("workers failed", dict(enumerate(failures)))


def _died(how: str) -> Exception:
    return WorkerHealthCheckFailedError("check failed", RayActorError(error_msg=how))


_CRASHED = _group(_died("The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR"))
_NODE_DIED = _group(_died("The actor died because its node has died. Node Id: 4466"))
_PREEMPTED = _group(WorkerHealthCheckFailedError("check failed", RayActorError(preempted=True)))
_UNAVAILABLE = _group(WorkerHealthCheckFailedError("check failed", ActorUnavailableError("no answer", None)))
_PEER_LOST = _group(UserExceptionWithTraceback(PeerLostError("Connection closed by peer"), "traceback"))
_TIMEOUT = ControllerError(WorkerGroupStartupTimeoutError(1))


class _Told:
    """Stands in for the actor that is told."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.put = SimpleNamespace(remote=self.events.append)


def fits(*errors: Exception, alive_after: str = "ab") -> list[dict[str, Any]]:
    """Has Ray Train's runs end by the given errors one after the other, then well; gives what was told."""
    ends, begun = itertools.chain(errors, itertools.repeat(None)), []
    alive = itertools.chain.from_iterable(itertools.repeat([{"a", "b"}, set(alive_after)]))

    def fit(loop: Any, name: str, resources: Resources) -> None:
        begun.append(name)
        error = next(ends)
        if error is not None:
            raise error

    told = _Told()
    adaptation = AdaptationTask(
        CountingStages(Path()), "My title", "my-title", Store("nowhere"), make_options(), "cpu", "digest"
    )
    nodes = NodeWatch(lambda: next(alive), seen_dead_s=0.0)
    adapt_on_ray(adaptation, Resources(), told, fit=fit, pause=lambda _: None, nodes=nodes)
    assert len(set(begun)) == len(begun), "Ray Train would resume a run of the same name"
    return told.events


def test_worker_that_dies_each_time_is_a_sentence() -> None:
    with pytest.raises(TitleError, match=r"My title: the worker .* died 3 times.*max_crops_per_track") as caught:
        fits(_CRASHED, _CRASHED, _CRASHED)
    assert "workers failed" in caught.value.trace
    assert [event["retry"][:16] for event in fits(_CRASHED, _CRASHED)] == ["its worker died "] * 2


@pytest.mark.parametrize("lost", [_DRAINED, _NODE_DIED, _PREEMPTED], ids=["drained", "dead", "preempted"])
def test_lost_machines_count_for_nothing_but_endless_ones(lost) -> None:
    told = fits(*[lost] * 20, _CRASHED, _CRASHED)
    assert [event["stage"] for event in told] == ["adapt"] * 22
    assert sum("machine" in event["retry"] for event in told) == 20
    with pytest.raises(TitleError, match=r"machines that adapt it were lost 31 times.*same command again"):
        fits(*[lost] * 31)


@pytest.mark.parametrize("error", [_UNAVAILABLE, _PEER_LOST, ActorDiedError()], ids=["silent", "peer", "controller"])
def test_where_the_error_does_not_tell_the_nodes_do(error) -> None:
    assert "machine" in fits(error, alive_after="a")[0]["retry"]
    assert "worker died" in fits(error, alive_after="abc")[0]["retry"]


def test_waiting_for_room_is_no_failure_and_said_once() -> None:
    told = fits(*[_TIMEOUT] * 50)
    assert [set(event) for event in told] == [{"title", "stage", "say"}]
    assert "1 worker of 1 CPU " in told[0]["say"]
    impossible = ControllerError(InsufficientClusterResourcesError("8 GPUs"))
    with pytest.raises(TitleError, match=r"never has 1 worker of 1 CPU.*workers_per_title"):
        fits(impossible)


def test_what_is_wrong_with_the_title_is_not_tried_again() -> None:
    own = UserExceptionWithTraceback(TitleError("t: no", "where"), "traceback")
    with pytest.raises(TitleError, match="t: no") as caught:
        fits(_group(UserExceptionWithTraceback(PeerLostError("gone"), ""), own))
    assert caught.value.trace == "where"


def test_shares_of_gpus_are_for_single_workers() -> None:
    assert str(Resources(2, 1.5, 0.25)) == "2 workers of 1.5 CPU and 0.25 GPU"
    assert make_options({"gpus_per_title": "0.25"}).run.gpus_per_title == 0.25
    with pytest.raises(OptionError, match="gpus_per_title"):
        make_options({"gpus_per_title": 2})
    with pytest.raises(OptionError, match=r"workers_per_title.*gpus_per_title"):
        make_options({"workers_per_title": 2, "gpus_per_title": 0.5})


def test_two_workers_of_a_title_work_as_one_and_one_that_dies_or_fails_ends_both(
    tmp_path: Path, ray_cluster: None
) -> None:
    class Shared(CountingStages):
        def __init__(self, trouble: str):
            self.trouble = trouble

        def adapt(
            self, store: Store, options: Any, device: str, threads: int, on_event: Any, workers: Workers | None = None
        ) -> None:
            assert workers is not None
            total = torch.tensor([1.0 + workers.rank])
            workers.sum_in_place(total)
            assert not workers.leaving()
            if workers.rank == 1 and self.trouble == "dies once" and not store.exists("died"):
                store.write_json("died", True)
                os._exit(1)
            if workers.rank == 1 and self.trouble == "fails":
                raise InputError("these crops are of nobody")
            decided = workers.from_first(torch.tensor([7 + workers.rank]))
            store.write_json(f"rank{workers.rank}", [float(total), int(decided)])

    class Reports:
        def __init__(self) -> None:
            self.events: list[dict[str, Any]] = []

        def put(self, event: dict[str, Any]) -> None:
            self.events.append(event)

        def all(self) -> list[dict[str, Any]]:
            return self.events

    store, reports = Store(tmp_path / "work"), ray.remote(num_cpus=0)(Reports).remote()

    def adapt(trouble: str) -> None:
        asked = Resources(2, 0.5, 0)
        adaptation = AdaptationTask(Shared(trouble), "Two", "two", store, make_options(), "cpu", "digest")
        adapt_on_ray(adaptation, asked, reports)

    adapt("dies once")
    assert [store.read_json(f"rank{rank}") for rank in range(2)] == [[3.0, 7], [3.0, 7]]
    assert [event["retry"][:15] for event in ray.get(reports.all.remote())] == ["its worker died"]
    with pytest.raises(TitleError, match=r"^these crops are of nobody$"):
        adapt("fails")
    assert store.keys("ray") == []


@pytest.mark.ray
def test_title_on_a_machine_that_is_taken_back_goes_on_elsewhere_where_it_was(tmp_path: Path) -> None:
    store, undisturbed = Store(tmp_path / "work"), Store(tmp_path / "undisturbed")
    for each in (store, undisturbed):
        tiny_title.make_title(each)
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "support.preempted_machine", store.url],
        capture_output=True,
        env=os.environ | PROGRAM_ENVIRONMENT,
        timeout=180,
    )
    assert run.returncode == 0, run.stderr.decode()
    events = json.loads(run.stdout.decode().splitlines()[-1])
    assert ["machine" in event["retry"] for event in events if "retry" in event] == [True]
    epochs = [int(line) for line in preempted_machine.epochs_file(store).read_text().split()]
    each_once = list(range(preempted_machine.SETTINGS["first_epochs"]))
    # A machine can go in the moment between an epoch's state and its mention.
    assert len(set(each_once) - set(epochs)) <= 1
    assert len(epochs) <= len(each_once) + 1, "more than the epoch in flight was repeated"
    tiny_title.adapt(undisturbed, preempted_machine.SETTINGS)
    for key in [key for key in undisturbed.keys("adapt/") if key.endswith(("clustering.json", "state.safetensors"))]:
        assert store.read_bytes(key) == undisturbed.read_bytes(key)
