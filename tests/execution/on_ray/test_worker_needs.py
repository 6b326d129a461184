"""What a title's worker asks for: so much of a GPU that all who share it fit, and memory by the title's size."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.counting_stages import CountingStages

from vcn_ray.cluster.clusterer import BYTES_PER_PAIR
from vcn_ray.config import Options, make_options
from vcn_ray.execution.base import RunContext
from vcn_ray.execution.on_ray.gpu_share import GPU_MEMORY_BYTES, gpu_share, least_gpu_memory
from vcn_ray.execution.on_ray.session import Cluster
from vcn_ray.execution.on_ray.worker_needs import WorkerNeeds
from vcn_ray.monitoring.monitor import NullMonitor
from vcn_ray.pipeline.memory import adapt_memory_bytes, gpu_memory_bytes, memory_class
from vcn_ray.pipeline.tasks import Tasks

_GIB = 2**30


@given(st.integers(1, 2**40), st.integers(1, 2**40))
def test_titles_that_share_a_gpu_fit_on_it(title_bytes: int, gpu_bytes: int) -> None:
    share = gpu_share(title_bytes, gpu_bytes)
    titles = int(1 / share + 1e-9)
    assert 0 < titles * share <= 1
    assert titles == 1 or titles * title_bytes <= 0.9 * gpu_bytes
    assert titles == 8 or (titles + 1) * title_bytes > 0.9 * gpu_bytes


@pytest.mark.parametrize(("title_bytes", "gpu_bytes"), [(None, 80 * _GIB), (_GIB, None), (100 * _GIB, 80 * _GIB)])
def test_what_is_not_known_or_does_not_fit_has_a_gpu_of_its_own(title_bytes: int, gpu_bytes: int) -> None:
    assert gpu_share(title_bytes, gpu_bytes) == 1.0


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([], None),
        ([["CPU", "GPU", "accelerator_type:H100"]], 80 * _GIB),
        ([["accelerator_type:NVIDIA-H100"], ["accelerator_type:T4", "memory"]], 16 * _GIB),
        ([["accelerator_type:H100"], ["GPU"]], None),
        ([["accelerator_type:Überraschung"]], None),
    ],
)
def test_smallest_gpu_counts(nodes: Sequence[Sequence[str]], expected: int | None) -> None:
    assert least_gpu_memory(nodes) == expected


def _needs(
    options: Options,
    gpu_bytes: int | None = GPU_MEMORY_BYTES["H100"],
    device: str = "cuda",
    clusters: Sequence[Cluster] = (),
) -> WorkerNeeds:
    """`clusters`: what is there, question by question."""

    class Stages(CountingStages):
        def __init__(self) -> None:
            pass

        def gpu_memory_bytes(self, options: Options) -> int | None:
            return gpu_memory_bytes(options)

        def adapt_memory_bytes(self, tracks: float, crops: float, options: Options) -> int:
            return adapt_memory_bytes(tracks, crops, options)

    run = RunContext(Tasks(Stages(), {"a": options}), options.run, NullMonitor(), "run", device)
    one = Cluster(((16, 1),), 64 * _GIB, gpu_memory_bytes=gpu_bytes, memory_bytes_beside_gpu=32 * _GIB)
    now = iter(clusters)
    return WorkerNeeds(run, lambda: next(now, one))


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({}, 0.125),
        ({"depth": "full"}, 1 / 6),
        ({"depth": "full", "batch_pairs": 256}, 1.0),
        ({"depth": "full", "face_id_onnx": "large.onnx"}, 1.0),
        ({"gpus_per_title": 0.5}, 0.5),
        ({"workers_per_title": 2}, 1.0),
    ],
)
def test_share_of_a_gpu(settings: dict[str, object], share: float) -> None:
    assert _needs(make_options(settings)).gpus() == pytest.approx(share, abs=1e-4)


def test_share_is_none_on_cpus_and_all_of_a_gpu_that_nobody_knows() -> None:
    assert _needs(make_options(), device="cpu").gpus() == 0.0
    assert _needs(make_options(), gpu_bytes=None).gpus() == 1.0


def test_memory_grows_with_the_title_up_to_what_a_machine_has() -> None:
    needs, options = _needs(make_options()), make_options()
    sizes = [(20, 100), (200, 1_000), (4_000, 20_000), (20_000, 100_000), (10**7, 10**8)]
    asked = [needs.memory_bytes(1.0, options, {"tracks": tracks, "crops": crops}) for tracks, crops in sizes]
    assert asked == sorted(asked)
    assert asked[0] == 2**30
    assert asked[3] > 4 * 2**30
    assert asked[-1] == 32 * _GIB


def test_memory_is_no_more_than_machines_have_that_have_come_since() -> None:
    options = make_options()
    clusters = [Cluster(()), Cluster(((4, 0),), 5 * _GIB), Cluster(((4, 0), (8, 0)), 64 * _GIB)]
    needs = _needs(options, device="cpu", clusters=clusters)
    asked = [needs.memory_bytes(1.0, options, {"tracks": 20_000, "crops": 100_000}) for _ in clusters]
    assert 4 * _GIB < asked[0] < 8 * _GIB, "a class more than is needed may be more than any machine has that comes"
    assert asked[1:] == [5 * _GIB, 8 * _GIB]


def test_machine_without_a_gpu_does_not_count_where_one_is_needed() -> None:
    options = make_options()
    needs = _needs(options, clusters=[Cluster(((64, 0),), 512 * _GIB)])
    size = {"tracks": 10**7, "crops": 10**8}
    assert needs.memory_bytes(1.0, options, size) > 512 * _GIB, "none with a GPU is known"
    assert needs.memory_bytes(1.0, options, size) == 32 * _GIB


def test_memory_of_machines_by_what_they_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    head = {"Alive": True, "Resources": {"memory": 9.0}}
    nodes = [head, head | {"Resources": {"CPU": 4.0, "memory": 7.0}}]
    nodes += [head | {"Resources": {"CPU": 4.0, "GPU": 1.0, "memory": float(gib)}} for gib in (3, 5)]
    monkeypatch.setattr("ray.nodes", lambda: [*nodes, {"Alive": False, "Resources": {"CPU": 1.0, "memory": 99.0}}])
    now = Cluster.of_ray()
    assert (now.memory_bytes, now.memory_bytes_beside_gpu) == (7, 5)
    monkeypatch.setattr("ray.nodes", lambda: [head])
    assert (Cluster.of_ray().memory_bytes, Cluster.of_ray().memory_bytes_beside_gpu) == (None, None)


@given(st.integers(1, 2**45))
def test_class_is_what_is_needed_and_less_than_twice_as_much(needed: int) -> None:
    assert needed <= memory_class(needed) < max(2 * needed, 2**30 + 1)


def test_memory_for_pairs_is_asked_for_as_the_option_says() -> None:
    few, usual, many = (
        [adapt_memory_bytes(tracks, 0, make_options({"memory_mb": memory_mb})) for tracks in (700, 4_000, 20_000)]
        for memory_mb in (64, 1_700, 50_000)
    )
    assert few[0] == usual[0] == many[0]  # all pairs of all three fit
    assert few[1] < usual[1] == many[1]
    assert few[2] < usual[2] < many[2]
    assert many[2] > 20_000**2 * BYTES_PER_PAIR > usual[2]


def test_memory_for_many_tracks_grows_with_their_vectors() -> None:
    short, usual, long = (
        adapt_memory_bytes(100_000, 0, make_options(settings))
        for settings in ({"max_iterations": 2}, {}, {"face_id_onnx": "large.onnx"})
    )
    vectors = [4 * 100_000 * (4 * size + 16 + size * times) for size, times in ((128, 2), (128, 10), (512, 10))]
    assert usual - short > vectors[1] - vectors[0]
    assert long - usual > vectors[2] - vectors[1]
