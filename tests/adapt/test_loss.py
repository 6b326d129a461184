import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.adapt.loss import (
    combinations,
    output_statistics,
    pair_loss,
    ssl_loss,
    student_log_probabilities,
    summarise,
    teacher_probabilities,
    updated_centre,
)


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_loss_is_the_published_formula():
    """Written out with numpy, element by element."""
    e_t, e_s, c = _random(7), _random(7, seed=1), _random(7, seed=2)
    shifted = np.exp((e_t - c).numpy().astype(float) / 0.5)
    p = shifted / shifted.sum()
    q = np.exp(e_s.numpy().astype(float))
    q /= q.sum()
    expected = -sum(p[k] * math.log(q[k]) for k in range(7))
    actual = ssl_loss(teacher_probabilities(e_t, c, 0.5), student_log_probabilities(e_s, 1.0))
    assert float(actual) == pytest.approx(expected, rel=1e-5)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), temperature=st.floats(0.05, 5))
def test_cross_entropy_is_never_below_entropy(seed, temperature):
    p = teacher_probabilities(_random(4, 9, seed=seed), torch.zeros(9), temperature)
    own = ssl_loss(p, torch.log(p.clamp_min(1e-30)))
    other = ssl_loss(p, student_log_probabilities(_random(4, 9, seed=seed + 1), temperature))
    assert (other >= own - 1e-4).all()


def test_mean_over_all_pairs_of_two_sets_is_the_loss_of_their_means():
    """The identity that clustering rests on (docs/method.md, 3)."""
    p = teacher_probabilities(_random(5, 8), torch.zeros(8), 1.0)
    log_q = student_log_probabilities(_random(6, 8, seed=3), 1.0)
    every = ssl_loss(p[:, None], log_q[None]).mean()
    assert float(every) == pytest.approx(float(ssl_loss(p.mean(0), log_q.mean(0))), rel=1e-5)


def test_pair_loss_sums_all_combinations_but_a_view_with_itself():
    p = teacher_probabilities(_random(3, 2, 8), torch.zeros(8), 1.0)
    log_q = student_log_probabilities(_random(3, 6, 8, seed=4), 1.0)
    expected = sum(ssl_loss(p[:, g], log_q[:, v]) for g in range(2) for v in range(6) if g != v)
    assert torch.allclose(pair_loss(p, log_q), expected)
    assert combinations(2, 6) == 10


def test_centre_moves_towards_the_mean_of_a_batch():
    outputs = _random(10, 4)
    centre = updated_centre(torch.ones(4), outputs.sum(0), 10, 0.9)
    assert torch.allclose(centre, 0.9 + 0.1 * outputs.mean(0))


def test_statistics_tell_spread_certain_and_collapsed_outputs_apart():
    def of(logits: torch.Tensor):
        p = teacher_probabilities(logits, torch.zeros(8), 1.0)
        return summarise(output_statistics(p, torch.log(p.clamp_min(1e-30))), len(p))

    spread = of(20 * torch.eye(8))
    assert spread.teacher_entropy == pytest.approx(0, abs=0.01)
    assert spread.mean_output_entropy == pytest.approx(math.log(8), abs=0.01)
    assert spread.information == pytest.approx(math.log(8), abs=0.01)
    assert not spread.collapsed(8)
    assert not spread.silent
    collapsed = of(20 * torch.eye(8)[:1].repeat(8, 1))
    assert collapsed.mean_output_entropy == pytest.approx(0, abs=0.01)
    assert collapsed.collapsed(8)
    silent = of(torch.zeros(8, 8))
    assert silent.teacher_entropy == pytest.approx(math.log(8), abs=0.01)
    assert silent.silent
    assert not silent.collapsed(8)
    assert silent.kl_teacher_student == pytest.approx(0, abs=1e-4)


def test_divergence_is_that_of_teacher_and_student():
    p = teacher_probabilities(_random(6, 8), torch.zeros(8), 1.0)
    log_q = student_log_probabilities(_random(6, 8, seed=9), 1.0)
    statistics = summarise(output_statistics(p, log_q), 6)
    expected = torch.nn.functional.kl_div(log_q, p, reduction="batchmean")
    assert statistics.kl_teacher_student == pytest.approx(float(expected), rel=1e-4)
