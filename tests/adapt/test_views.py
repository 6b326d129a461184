import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut

from vcn_ray.adapt.views import make_views


def _faces(count: int) -> torch.Tensor:
    face = torch.from_numpy(astronaut()[:112, 160:272].copy()).permute(2, 0, 1)
    return face[None].repeat(count, 1, 1, 1)


@settings(deadline=None, max_examples=15)
@given(order=st.permutations(range(5)), kind=st.sampled_from(["global", "local"]), seed=st.integers(0, 2**31 - 1))
def test_a_view_does_not_depend_on_what_else_is_in_the_batch(order, kind, seed):
    keys = np.array([3, -8, 2**40, 0, 77])
    together = make_views(_faces(5), keys, kind, 4, seed)
    shuffled = make_views(_faces(5), keys[order], kind, 4, seed)
    assert torch.equal(shuffled, together[order])
    alone = make_views(_faces(1), keys[2:3], kind, 4, seed)
    assert torch.equal(alone[0], together[2])


def test_seed_crop_kind_and_index_each_give_another_view():
    def view(key: int, kind, index: int, seed: int) -> torch.Tensor:
        return make_views(_faces(1), np.array([key]), kind, index, seed)[0]

    views = [view(1, "global", 0, 0), view(2, "global", 0, 0), view(1, "local", 0, 0)]
    views += [view(1, "global", 1, 0), view(1, "global", 0, 1)]
    for i, first in enumerate(views):
        for second in views[i + 1 :]:
            assert (first - second).abs().mean() > 1.0


def test_an_index_per_crop_is_the_same_as_one_call_per_index():
    keys, index = np.array([1, 2, 3]), np.array([5, 0, 9])
    together = make_views(_faces(3), keys, "local", index, 0)
    for i in range(3):
        assert torch.equal(make_views(_faces(1), keys[i : i + 1], "local", int(index[i]), 0)[0], together[i])


def test_values_stay_in_the_range_of_pixels_and_shape_is_kept():
    views = make_views(_faces(40), np.arange(40), "global", 0, 0)
    assert views.shape == (40, 3, 112, 112)
    assert views.dtype == torch.float32
    assert views.min() >= 0
    assert 128 < views.max() <= 255


@pytest.mark.parametrize(("kind", "low", "high"), [("global", 0.7, 1.0), ("local", 0.4, 0.6)])
def test_a_view_shows_the_published_share_of_the_crop(kind, low, high):
    """Two ramps as colours tell where each corner of the view came from; a gain per channel cancels in the ratio."""
    size = 112
    ramp = torch.arange(size, dtype=torch.float32) / size
    blue = torch.stack([torch.zeros(size, size), ramp.expand(size, size), torch.zeros(size, size)])  # green is kept
    crops = (blue * 255).to(torch.uint8)[None].repeat(300, 1, 1, 1)
    green = make_views(crops, np.arange(300), kind, 0, 1)[:, 1] / 255
    across, down = (green[:, 40:72, 71] - green[:, 40:72, 40]).mean(1) / 31, green[:, 71, 40:72] - green[:, 40, 40:72]
    side = torch.hypot(across, down.mean(1) / 31) * size
    area = side**2
    assert area.min() > low - 0.05
    assert area.max() < high + 0.05
    assert area.std() > 0.03
    mirrored = (across < 0).float().mean()
    assert 0.4 < mirrored < 0.6


def test_colour_temperature_changes_the_balance_of_red_and_blue_and_keeps_green():
    grey = torch.full((60, 3, 112, 112), 128, dtype=torch.uint8)
    views = make_views(grey, np.arange(60), "global", 0, 0).mean(dim=(2, 3))
    assert torch.allclose(views[:, 1], torch.full((60,), 128.0), atol=0.1)
    ratio = views[:, 0] / views[:, 2]
    assert ratio.min() < 0.8
    assert ratio.max() > 1.5
