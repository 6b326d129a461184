"""A title's worker on Ray Train: when it dies for good, one sentence with what to do."""

from pathlib import Path
from typing import Any

import pytest
import ray.train.torch
from ray.train import WorkerGroupError
from standins import StandIn

from vcn_ray.config import make_options
from vcn_ray.season.adaptation import TitleError, adapt_on_ray
from vcn_ray.storage import Store


def test_worker_that_dies_each_time_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dying:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def fit(self) -> None:
            raise WorkerGroupError("out of memory", {})

    monkeypatch.setattr(ray.train.torch, "TorchTrainer", Dying)
    work = Store(tmp_path / "titles" / "a" / "work")
    with pytest.raises(TitleError, match=r"My title: the worker .* died 3 times.*max_crops_per_track") as caught:
        adapt_on_ray(StandIn(tmp_path), "My title", work, make_options(), "cpu", "digest", 1, None)
    assert "out of memory" in caught.value.trace
