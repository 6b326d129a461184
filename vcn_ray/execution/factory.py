"""Which executor a run gets, by what its options ask for."""

from __future__ import annotations

from vcn_ray.execution.base import Executor
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.execution.on_ray.executor import RayExecutor


def make_executor(*, local: bool) -> Executor:
    """This process where `local` is asked for; else Ray, at the address that the run's options name or started here."""
    return LocalExecutor() if local else RayExecutor()
