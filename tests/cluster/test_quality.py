import numpy as np
import pytest

from vcn_ray.cluster.quality import crop_quality, quality_threshold, track_quality


def test_crops_that_dropout_does_not_move_have_quality_one_and_others_less():
    still = np.repeat(np.ones((1, 1, 4)), 5, axis=1)
    moved = np.random.default_rng(0).normal(size=(1, 5, 4))
    quality = crop_quality(np.concatenate([still, moved]))
    assert quality[0] == pytest.approx(1)
    assert quality[1] < 0.8


def test_quality_is_two_sigmoid_of_minus_the_mean_distance():
    x = np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]])  # distances sqrt 2, 0, sqrt 2
    assert crop_quality(x)[0] == pytest.approx(2 / (1 + np.exp(2 * np.sqrt(2) / 3)))


def test_one_pass_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        crop_quality(np.ones((3, 1, 4)))


def test_track_quality_is_the_mean_over_its_crops():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(5, 4, 8))
    track = np.array([0, 1, 1, 1, 0])
    assert track_quality(x, track, 3)[1] == pytest.approx(crop_quality(x)[1:4].mean())
    assert track_quality(x, track, 3)[2] == 0


def test_mean_deviation_drops_about_the_lower_tail_that_the_paper_names():
    scores = np.random.default_rng(2).normal(0.7, 0.05, size=20000)
    share = {d: float((scores < quality_threshold(scores, d)).mean()) for d in ("mean", "median", "scaled_median")}
    assert share["mean"] == pytest.approx(0.0156, abs=0.004)
    assert share["median"] == pytest.approx(0.034, abs=0.006)
    assert share["scaled_median"] == pytest.approx(0.0035, abs=0.002)
