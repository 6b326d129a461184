"""What follows when a title's run on Ray has ended early: what ended it decides, and how often it did."""

import pytest

from vcn_ray.execution.on_ray.failures import FailureCause
from vcn_ray.execution.on_ray.retry_policy import MAX_MACHINES_LOST, MAX_WORKER_DEATHS, GiveUp, Retry, RetryPolicy
from vcn_ray.execution.title_scheduler import Resources

WORKER, MACHINE, NO_ROOM = FailureCause.WORKER, FailureCause.MACHINE, FailureCause.NO_ROOM


def _policy() -> RetryPolicy:
    return RetryPolicy("Überraschung <b>", Resources(2, 4, 0.5), start_timeout_s=120)


@pytest.mark.parametrize(("cause", "most"), [(WORKER, MAX_WORKER_DEATHS), (MACHINE, MAX_MACHINES_LOST)])
def test_a_cause_is_borne_so_often_with_growing_pauses(cause: FailureCause, most: int) -> None:
    policy = _policy()
    pauses = []
    for _ in range(most):
        follows = policy.after(cause)
        assert isinstance(follows, Retry)
        pauses.append(follows.pause_s)
    assert pauses == sorted(pauses)
    assert pauses[0] == 2.0
    assert pauses[-1] <= 30.0
    given_up = policy.after(cause)
    assert isinstance(given_up, GiveUp)
    assert given_up.sentence.startswith("Überraschung <b>: ")
    assert f" {most + 1} times" in given_up.sentence


def test_lost_machines_do_not_count_as_deaths() -> None:
    policy = _policy()
    for cause in [MACHINE] * 10 + [WORKER] * MAX_WORKER_DEATHS:
        assert isinstance(policy.after(cause), Retry)


def test_waiting_for_room_is_endless_and_said_once() -> None:
    policy = _policy()
    first, *others = [policy.after(NO_ROOM) for _ in range(100)]
    assert first == Retry(
        {"say": "no machine has had room for 2 workers of 4 CPU and 0.5 GPU for 120 s; still waiting"}, 0.0
    )
    assert set(others) == {Retry(None, 0.0)}


def test_what_can_never_be_had_is_given_up_at_once() -> None:
    follows = _policy().after(FailureCause.NEVER_ROOM)
    assert isinstance(follows, GiveUp)
    assert "never has 2 workers of 4 CPU and 0.5 GPU" in follows.sentence
