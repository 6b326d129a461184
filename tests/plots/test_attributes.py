"""Light and blur of crops."""

import cv2
import numpy as np
import pyarrow as pa
import pytest

from vcn_ray.plots.attributes import SINGULAR_VALUES, lightness, svd_sharpness, track_attributes


def _noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (112, 112), np.uint8)


@pytest.mark.parametrize(
    ("bgr", "expected"), [((0, 0, 0), 0), ((255, 255, 255), 1), ((0, 0, 255), 0.5), ((51, 51, 51), 0.2)]
)
def test_lightness_is_that_of_hls(bgr: tuple[int, int, int], expected: float) -> None:
    assert lightness(np.full((8, 8, 3), bgr, np.uint8)) == pytest.approx(expected, abs=0.01)


def test_sharpness_is_what_singular_values_say() -> None:
    images = np.stack([_noise(seed) for seed in range(3)])
    values = np.linalg.svd(images.astype(np.float64), compute_uv=False)
    expected = 1 - values[:, :SINGULAR_VALUES].sum(axis=1) / values.sum(axis=1)
    np.testing.assert_allclose(svd_sharpness(images), expected, atol=1e-6)


def test_blur_lowers_sharpness_and_a_flat_crop_has_none() -> None:
    sharp = _noise(0)
    blurred = [cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (1, 2, 4)]
    found = svd_sharpness(np.stack([sharp, *blurred, np.zeros_like(sharp), np.full_like(sharp, 200)]))
    assert list(found[:4]) == sorted(found[:4], reverse=True)
    np.testing.assert_allclose(found[4:], 0, atol=1e-6)


def test_a_track_has_the_mean_of_its_crops_evenly_chosen() -> None:
    levels = {7: [10, 20, 200, 40, 50], 3: [100]}
    rows = [(track, level) for track, own in levels.items() for level in own]
    jpegs = [cv2.imencode(".png", np.full((112, 112, 3), level, np.uint8))[1].tobytes() for _, level in rows]
    crops = pa.table({"track_id": [track for track, _ in rows], "jpeg": jpegs})
    found = track_attributes(crops, most_crops=2)
    np.testing.assert_allclose(found["lightness"], [100 / 255, 30 / 255], atol=0.005)  # track 3, then 7: first and last
    assert len(found["sharpness"]) == 2
