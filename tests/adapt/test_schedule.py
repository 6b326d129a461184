import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.adapt.schedule import epochs_in_iteration, lr_share, trains_network
from vcn_ray.config import make_options


def test_paper_schedule_has_the_published_numbers():
    options = make_options({"method": "paper"}).adapt
    assert [epochs_in_iteration(i, options) for i in (1, 2, 7)] == [30, 10, 10]
    rates = [options.network_lr * lr_share(step, 10, 30, options.warmup_epochs) for step in range(300)]
    assert rates[0] == pytest.approx(5e-6)
    assert rates[50] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(1e-4)
    assert rates[-1] == pytest.approx(1e-5)
    assert options.head_lr == options.network_lr == 1e-4


def test_only_heads_are_trained_in_the_first_epochs_of_the_first_iteration():
    options = make_options({}).adapt
    assert [trains_network(1, e, options) for e in (0, 9, 10)] == [False, False, True]
    assert trains_network(2, 0, options)


@given(steps=st.integers(1, 20), epochs=st.integers(1, 12), warmup=st.integers(0, 8))
def test_rate_rises_then_falls_and_never_leaves_its_bounds(steps, epochs, warmup):
    shares = [lr_share(s, steps, epochs, warmup) for s in range(steps * epochs)]
    assert all(0.05 <= share <= 1.0 for share in shares)
    top = shares.index(max(shares))
    assert shares[:top] == sorted(shares[:top])
    assert shares[top:] == sorted(shares[top:], reverse=True)
