"""Executors by name."""

from __future__ import annotations

from collections.abc import Callable

from vcn_ray.errors import OptionError
from vcn_ray.execution.base import Executor
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.execution.mapping import Mapper, map_here
from vcn_ray.execution.on_ray.executor import RayExecutor
from vcn_ray.execution.on_ray.mapping import map_on_ray

#: Each makes an executor for one run. "ray": at the address that the run's options name, or started here.
EXECUTORS: dict[str, Callable[[], Executor]] = {
    "ray": RayExecutor,
    "local": LocalExecutor,
}

#: What does the same for many things, by the same names.
MAPPERS: dict[str, Mapper] = {"ray": map_on_ray, "local": map_here}


def make_executor(name: str) -> Executor:
    """A new executor of this name; raises `OptionError` that names all of them where there is none."""
    if name not in EXECUTORS:
        raise OptionError(f"no executor is called {name!r}; there are: {', '.join(EXECUTORS)}")
    return EXECUTORS[name]()
