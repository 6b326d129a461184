from __future__ import annotations

import math
import threading

import numpy as np
import pytest
import torch

from vcn_ray.adapt.cache import embed_chunk
from vcn_ray.adapt.finetune import Adaptation, resolve_depth
from vcn_ray.adapt.workers import Workers
from vcn_ray.config import AdaptOptions, make_options
from vcn_ray.errors import OutputError

_EACH_ITS_OWN = np.arange(3)


@pytest.fixture(params=["head", "tail", "full"])
def make(request, network, crops, keys, track_of_crop, cached, options):
    """Makes adaptations of one title at each depth."""

    def make(chosen: AdaptOptions = options, seed: int = 0, **kwargs) -> Adaptation:
        if request.param == "head":
            return Adaptation.on_cache(cached, track_of_crop, chosen, seed)
        return Adaptation.on_network(
            network, crops, keys, track_of_crop, chosen, seed, "cpu", depth=request.param, **kwargs
        )

    make.depth = request.param
    return make


def test_untrained_residual_head_is_the_base_model(make, cached):
    outputs = make().embed("plain").embeddings
    direction = cached.plain / np.linalg.norm(cached.plain, axis=1, keepdims=True)
    centred = direction - direction.mean(0)
    expected = 4.0 * centred / np.linalg.norm(centred, axis=1, keepdims=True)
    assert np.allclose(outputs, expected, atol=0.02 if make.depth == "tail" else 1e-4)


def test_views_of_all_depths_are_the_cached_ones(make, network, crops, keys, track_of_crop, cached, options):
    head = Adaptation.on_cache(cached, track_of_crop, options, 0)
    for which in ("plain", "flipped", "global", "local", "dropout"):
        ours, theirs = make().embed(which).embeddings, head.embed(which).embeddings
        assert ours.shape == theirs.shape
        assert np.allclose(ours, theirs, atol=0.05), which


def test_training_lowers_the_loss_and_moves_the_student_ahead_of_the_teacher(make, options):
    adaptation = make(options.model_copy(update={"min_batches_per_epoch": 24}))
    before = adaptation.embed("plain").embeddings
    metrics = adaptation.finetune(1, _EACH_ITS_OWN)
    assert len(metrics.epochs) == 4
    assert metrics.epochs[-1].mean_loss < metrics.epochs[0].mean_loss
    assert metrics.mean_loss == metrics.epochs[-1].mean_loss
    student, teacher = (adaptation.embed("plain", branch).embeddings for branch in ("student", "teacher"))
    assert 0 < np.abs(teacher - before).max() < np.abs(student - before).max()
    assert 0 < metrics.statistics.teacher_entropy <= math.log(16) + 1e-6


def test_probabilities_are_those_of_the_loss(make, options):
    adaptation = make()
    adaptation.finetune(1, _EACH_ITS_OWN)
    outputs = adaptation.embed("global")
    assert np.allclose(outputs.probabilities.sum(-1), 1, atol=1e-5)
    logits = outputs.embeddings / options.student_temperature
    expected = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    assert np.allclose(outputs.log_probabilities, expected, atol=1e-4)


def test_same_seed_same_bytes_other_seed_other_bytes(make):
    states = []
    for seed in (0, 0, 1):
        adaptation = make(seed=seed)
        adaptation.finetune(1, _EACH_ITS_OWN)
        states.append(adaptation.state_bytes())
    assert states[0] == states[1] != states[2]


def test_resuming_after_any_epoch_equals_an_undisturbed_run(make):
    saved: list[bytes] = []
    undisturbed = make()
    for iteration, groups in ((1, _EACH_ITS_OWN), (2, np.array([0, 0, 1]))):
        undisturbed.finetune(iteration, groups, on_epoch=lambda _: saved.append(undisturbed.state_bytes()))
    assert len(saved) == 7
    for stopped_after in (1, 3, 5):
        resumed = make()
        resumed.load_state_bytes(saved[stopped_after])
        while (resumed.iteration, resumed.epochs_done) != (2, 3):
            finished = resumed.iteration == 1 and resumed.epochs_done == 4
            iteration = resumed.iteration + 1 if finished else resumed.iteration
            resumed.finetune(iteration, _EACH_ITS_OWN if iteration == 1 else np.array([0, 0, 1]))
        assert resumed.state_bytes() == saved[-1]
        assert np.array_equal(resumed.embed("local").probabilities, undisturbed.embed("local").probabilities)


def test_groups_count_as_a_partition_and_minus_one_keeps_a_track_out(make):
    a, b = make(), make()
    a.finetune(1, np.array([0, 1, -1]))
    b.finetune(1, np.array([5, 9, -1]))
    assert a.state_bytes() == b.state_bytes()
    with pytest.raises(ValueError, match="no crop is left"):
        make().finetune(1, np.array([-1, -1, -1]))


def test_matched_tracks_come_closer_than_they_were(make, options):
    longer = options.model_copy(update={"later_epochs": 30, "head_lr": 3e-3})
    adaptation = make(longer)
    adaptation.finetune(1, _EACH_ITS_OWN)

    def distance() -> float:
        means = adaptation.embed("plain").embeddings.reshape(3, 4, -1).mean(1)
        return float(np.linalg.norm(means[0] - means[1]) / np.linalg.norm(means[0] - means[2]))

    before = distance()
    adaptation.finetune(2, np.array([0, 0, 1]))
    assert distance() < 0.95 * before


def test_statistics_of_batchnorm_stay_those_of_the_base_model(network, crops, keys, track_of_crop, options):
    before = {name: value.clone() for name, value in network.named_buffers()}
    adaptation = Adaptation.on_network(network, crops, keys, track_of_crop, options, 0, "cpu", depth="full")
    adaptation.finetune(1, _EACH_ITS_OWN)
    for branch in (adaptation._student, adaptation._teacher):
        after = dict(branch.backbone.network.named_buffers())
        assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not torch.equal(adaptation._student.backbone.network.body[1].weight, network.body[1].weight)


def test_network_is_left_alone_in_head_only_epochs(network, crops, keys, track_of_crop, options):
    adaptation = Adaptation.on_network(network, crops, keys, track_of_crop, options, 0, "cpu", depth="full")
    changed = []

    def look(_) -> None:
        changed.append(not torch.equal(adaptation._student.backbone.network.neck.weight, network.neck.weight))

    adaptation.finetune(1, _EACH_ITS_OWN, on_epoch=look)
    assert changed == [False, True, True, True]


def test_bfloat16_stays_near_float32(network, crops, keys, track_of_crop, options):
    outputs = []
    for bfloat16 in (False, True):
        adaptation = Adaptation.on_network(
            network, crops, keys, track_of_crop, options, 0, "cpu", depth="full", bfloat16=bfloat16
        )
        adaptation.finetune(1, _EACH_ITS_OWN)
        outputs.append(adaptation.embed("plain").embeddings)
        assert outputs[-1].dtype == np.float32
    assert 0 < np.abs(outputs[0] - outputs[1]).max() < 0.5


def test_two_workers_train_what_one_does(make):
    alone = make()
    alone.finetune(1, _EACH_ITS_OWN)
    barrier = threading.Barrier(2)
    slots: list[torch.Tensor | None] = [None, None]

    def summing(rank: int):
        def sum_in_place(tensor: torch.Tensor) -> None:
            slots[rank] = tensor.clone()
            barrier.wait()
            total = slots[0] + slots[1]
            barrier.wait()
            tensor.copy_(total)

        return sum_in_place

    both = [make(), make()]
    threads = [
        threading.Thread(target=both[r].finetune, args=(1, _EACH_ITS_OWN, None, Workers(r, 2, summing(r))))
        for r in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert both[0].state_bytes() == both[1].state_bytes()
    assert np.allclose(both[0].embed().embeddings, alone.embed().embeddings, atol=1e-3)


def test_iterations_out_of_turn_are_refused(make):
    adaptation = make()
    with pytest.raises(ValueError, match="out of turn"):
        adaptation.finetune(2, _EACH_ITS_OWN)
    adaptation.finetune(1, _EACH_ITS_OWN)
    with pytest.raises(ValueError, match="out of turn"):
        adaptation.finetune(1, _EACH_ITS_OWN)


def test_checkpoint_of_another_shape_or_damaged_is_told_in_a_sentence(make, options):
    adaptation = make()
    adaptation.finetune(1, _EACH_ITS_OWN)
    content = adaptation.state_bytes()
    paper = make(options.model_copy(update={"head": "random", "teacher_start": "apart"}))
    for unfit, into in ((content[:100], make()), (b"", make()), (content, paper)):
        with pytest.raises(OutputError, match="checkpoint cannot be used"):
            into.load_state_bytes(unfit)


def test_paper_preset_trains_and_its_teacher_starts_apart(make):
    paper = make_options({"method": "paper", "first_epochs": 3, "head_only_epochs": 1, "batch_pairs": 8}).adapt
    adaptation = make(paper)
    student, teacher = (adaptation.embed("plain", branch).embeddings for branch in ("student", "teacher"))
    assert not np.allclose(student, teacher)
    metrics = adaptation.finetune(1, _EACH_ITS_OWN)
    assert np.isfinite(metrics.mean_loss)


def test_collapse_is_reported(cached, track_of_crop, options, caplog):
    """Without a centre that follows and with sharp targets, all outputs fall on one pseudo-class."""
    collapsing = options.model_copy(
        update={"head": "random", "teacher_temperature": 1e-5, "centre_momentum": 0.9999, "teacher_momentum": 0.0}
    )
    metrics = Adaptation.on_cache(cached, track_of_crop, collapsing, 0).finetune(1, _EACH_ITS_OWN)
    assert metrics.collapsed
    assert "collapse" in caplog.text
    healthy = Adaptation.on_cache(cached, track_of_crop, options, 0).finetune(1, _EACH_ITS_OWN)
    assert not healthy.collapsed
    assert healthy.warning is None


def test_outputs_that_say_nothing_are_reported(cached, track_of_crop, options, caplog):
    silent = options.model_copy(update={"head": "random", "teacher_start": "apart", "teacher_momentum": 0.996})
    metrics = Adaptation.on_cache(cached, track_of_crop, silent, 0).finetune(1, _EACH_ITS_OWN)
    assert not metrics.collapsed
    assert "hardly differ" in caplog.text


@pytest.mark.parametrize(
    ("settings", "on_cpu", "on_gpu"),
    [
        ({}, "head", "head"),
        ({"method": "paper"}, "head", "full"),
        ({"method": "paper", "depth": "auto"}, "head", "head"),
        ({"depth": "tail"}, "tail", "tail"),
        ({"depth": "full"}, "full", "full"),
    ],
    ids=str,
)
def test_the_head_is_trained_everywhere_and_the_papers_whole_network_on_a_gpu(settings, on_cpu, on_gpu):
    options = make_options(settings).adapt
    assert resolve_depth(options, "cpu") == on_cpu
    assert resolve_depth(options, "cuda:0") == on_gpu


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")
@pytest.mark.parametrize("depth", ["head", "tail", "full"])
def test_a_gpu_starts_where_a_cpu_does_and_repeats_itself_to_the_byte(
    network, crops, keys, track_of_crop, cached, options, depth
):
    """It rounds to bfloat16 beyond the head. The toy's pooling, which `full` trains through, adds up in any order."""

    def make(device: str) -> Adaptation:
        if depth == "head":
            views = embed_chunk(network.to(device), crops, keys, options, 0, device=device)
            return Adaptation.on_cache(views, track_of_crop, options, 0, device)
        return Adaptation.on_network(network, crops, keys, track_of_crop, options, 0, device, depth=depth)

    ours, expected = make("cuda").embed().embeddings, Adaptation.on_cache(cached, track_of_crop, options, 0)
    assert np.allclose(ours, expected.embed().embeddings, atol=1e-3 if depth == "head" else 0.05)
    first, second = make("cuda"), make("cuda")
    losses = [adaptation.finetune(1, _EACH_ITS_OWN).mean_loss for adaptation in (first, second)]
    assert losses[0] == pytest.approx(losses[1])
    assert depth == "full" or first.state_bytes() == second.state_bytes()
