"""Which crops are shown: the best, then different tracks spread over time, within the budget."""

import base64

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray import schemas
from vcn_ray.errors import OutputError
from vcn_ray.export.pictures import SAMPLE, THUMB, Pictures, pick_spread

PLENTY = 10**7


def _pixels(uri):
    prefix = "data:image/jpeg;base64,"
    assert uri.startswith(prefix)
    return cv2.imdecode(np.frombuffer(base64.b64decode(uri[len(prefix) :]), np.uint8), cv2.IMREAD_COLOR)


@given(st.lists(st.integers(), unique=True, max_size=30), st.integers(0, 12), st.randoms(use_true_random=False))
def test_spread_keeps_order_and_takes_the_best_item(items, count, random):
    weights = np.array([random.random() for _ in items])
    chosen = pick_spread(items, weights, count)
    assert len(chosen) == min(count, len(items))
    places = [items.index(item) for item in chosen]
    assert places == sorted(set(places))
    if chosen:
        assert items[int(np.argmax(weights))] in chosen


def test_best_crop_is_the_sharpest_in_the_asked_size(small_report):
    pictures = Pictures(small_report.crops, PLENTY)
    assert _pixels(pictures.best(0)).shape == (72, 72, 3)
    assert _pixels(pictures.at(0, 0)).shape == (112, 112, 3)
    sharpest = small_report.crops.filter(pa.compute.equal(small_report.crops["track_id"], 0))["frame"][-1].as_py()
    assert pictures.best(0, SAMPLE) == pictures.at(0, sharpest)


def test_track_without_crops_has_no_picture(small_report):
    pictures = Pictures(small_report.crops, PLENTY)
    assert not pictures.has(8)
    assert pictures.best(8) is None
    assert pictures.samples([8], None, None, 8) == []


def test_samples_begin_with_the_best_and_show_other_tracks(small_report):
    pictures = Pictures(small_report.crops, PLENTY)
    samples = pictures.samples([0, 1, 2, 3], best_track=2, best_frame=480, count=4)
    assert samples[0] == pictures.at(2, 480)
    assert samples[1:] == [pictures.best(t, SAMPLE) for t in (0, 1, 3)]


@pytest.mark.parametrize("tracks", [[0], [0, 1], [0, 1, 2]])
def test_few_tracks_give_several_crops_each(small_report, tracks):
    samples = Pictures(small_report.crops, PLENTY).samples(tracks, 0, 0, 8)
    assert len(tracks) < len(samples) <= 8


def test_budget_is_kept_and_what_it_cost_is_counted(small_report):
    one = len(Pictures(small_report.crops, PLENTY).best(0, THUMB))
    pictures = Pictures(small_report.crops, int(2.5 * one))
    shown = [pictures.best(0, THUMB) for _ in range(5)]
    assert [picture is not None for picture in shown] == [True, True, False, False, False]
    assert pictures.left_out == 3


def test_no_crops_at_all():
    assert Pictures(schemas.CROPS.empty_table(), PLENTY).best(0) is None


def test_damaged_crop_is_told(small_report):
    broken = small_report.crops.set_column(5, "jpeg", pa.array([b"no jpeg"] * len(small_report.crops), pa.binary()))
    with pytest.raises(OutputError, match=r"crops.parquet is damaged"):
        Pictures(broken, PLENTY).best(0)
