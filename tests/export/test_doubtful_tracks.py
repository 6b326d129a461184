"""What to look at first: the least certain tracks, each beside its character; nothing where all are certain."""

import re
from dataclasses import replace

import pytest

from vcn_ray.export.doubtful_tracks import MOST_SHOWN, count_doubtful, find_doubtful
from vcn_ray.export.pictures import THUMB, Pictures
from vcn_ray.export.title_page import title_page


def _review(report, budget=10**6):
    by_cluster = {}
    for track in report.tracks.to_pylist():
        by_cluster.setdefault(track["cluster_id"], []).append(track)
    names = {cluster: f"<{cluster}>" for cluster in by_cluster if cluster is not None}
    return find_doubtful(by_cluster, names, Pictures(report.crops, budget), False)


@pytest.fixture
def make_doubtful(make_report):
    """Tracks of character 0 with these confidences, then one that is alone in character 1, with 0.3."""

    def make(confidences):
        tracks = [("a.mp4", 3.0 * k, 3.0 * k + 2, 0, None) for k in range(len(confidences))]
        tracks.append(("a.mp4", 95.0, 96.0, 1, None))
        return make_report(tracks, confidence={**dict(enumerate(confidences)), len(confidences): 0.3})

    return make


def test_the_most_doubtful_comes_first_beside_its_character_in_another_track(make_doubtful):
    report = make_doubtful([0.8, 0.99, 0.5, None])
    review = _review(report)
    assert [doubt.thumb.track_id for doubt in review.doubts] == [4, 2, 0]
    assert [doubt.alone for doubt in review.doubts] == [True, False, False]
    assert [doubt.name for doubt in review.doubts] == ["<1>", "<0>", "<0>"]
    assert review.doubts[0].other is None
    assert review.doubts[1].other not in (None, review.doubts[1].thumb.picture)
    assert review.tracks == count_doubtful(report.tracks) == 3


def test_beside_a_doubtful_track_is_the_best_picture_that_its_character_has_elsewhere(make_doubtful):
    report = make_doubtful([0.5, 0.99, 0.99, 0.99])
    sharpness = [9.0 if track == 2 else 1.0 for track in report.crops["track_id"].to_pylist()]
    crops = report.crops.set_column(report.crops.column_names.index("sharpness"), "sharpness", [sharpness])
    (_, doubt) = _review(replace(report, crops=crops.cast(report.crops.schema))).doubts
    pictures = Pictures(crops, 10**6)
    assert doubt.other == pictures.best(2, THUMB) != pictures.best(1, THUMB)


def test_equal_doubt_keeps_the_order_of_the_title(make_doubtful):
    assert [doubt.thumb.track_id for doubt in _review(make_doubtful([0.3] * 5)).doubts] == list(range(6))


def test_of_many_only_some_are_shown_and_all_counted(make_doubtful):
    review = _review(make_doubtful([0.5] * 28))
    assert (review.tracks, len(review.doubts)) == (29, MOST_SHOWN)


def test_without_room_for_pictures_the_doubts_are_still_told(make_doubtful):
    doubts = _review(make_doubtful([0.5, 0.6]), budget=0).doubts
    assert [(doubt.thumb.picture, doubt.other) for doubt in doubts] == [(None, None)] * 3


def test_the_page_tells_chance_time_and_character(make_doubtful):
    page = title_page(make_doubtful([0.75, 0.995, 0.5])).decode()
    section = page[page.index('id="review"') : page.index('id="timeline"')]
    assert re.findall(r"<b>(\d+) %</b>", section) == ["30", "50", "75"]
    assert section.count('href="#c0"') == 2
    assert section.count('href="#c1"') == 1
    alone, *others = section.split('<li class="brief">')[1:]
    assert [item.count('class="face') for item in (alone, *others)] == [1, 2, 2]  # nobody to show beside it
    assert re.search(r'href="#c1">.*</a>, and nobody else<br>1:35', section)
    assert {"confidence 50 %", "confidence over 99 %"} <= set(re.findall(r"confidence [^\",]*", page))


def test_the_page_says_nothing_where_nothing_is_doubtful_or_known(make_report):
    tracks = [("a.mp4", 0.0, 2.0, 0, None)] * 3
    for confidence in ({}, {0: 0.91, 1: 0.95, 2: 1.0}):
        page = title_page(make_report(tracks, confidence=confidence)).decode()
        assert "Review first" not in page
        assert 'id="review"' not in page
