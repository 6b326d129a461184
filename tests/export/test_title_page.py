"""The page of a title: what it shows, that it is whole in itself, safe and small."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from vcn_ray.export.title_page import title_page, write_title_page
from vcn_ray.storage.store import Store

EVIL = '<script>alert("1")</script>&\'"'
_VOID = {"meta", "img", "link", "br", "hr", "input"}
_OPTIONAL_END = {"th", "td", "li", "p"}


class Page(HTMLParser):
    """What a browser would see: elements with attributes, the visible text, and whether every element is closed."""

    def __init__(self, content: bytes):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text, self._open = "", []
        self.feed(content.decode())
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self._open[-1] != tag and self._open[-1] in _OPTIONAL_END:
            self._open.pop()
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not self._open or self._open[-1] not in ("script", "style"):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_shows_characters_by_screen_time_with_their_facts(small_report):
    page = Page(title_page(small_report))
    names = re.findall(r"Zoë|Character \d", page.text)
    assert list(dict.fromkeys(names)) == ["Zoë", "Character 0", "Character 2"]
    assert "24 s on screen" in page.text
    assert "b 0:00 to b 0:28" in page.text
    assert re.search(r"4\s+tracks", page.text)
    samples = [i for i in page.all("img") if i["alt"].startswith("Zoë, sample")]
    assert 3 <= len(samples) <= 8


def test_a_doubtful_character_says_so_and_a_sure_one_does_not(make_report):
    known = {0: (0.75, 0.99), 1: (0.99, 0.009), 2: (0.95, 0.91), 3: (None, None)}
    page = Page(
        title_page(make_report([("a.mp4", 9.0 * k, 9.0 * k + 4, k % 4, None) for k in range(12)], characters=known))
    )
    assert page.text.count("one person: 75 %") == page.text.count("one person:") == 1
    assert page.text.count("a person at all: under 1 %") == page.text.count("a person at all:") == 1


def test_shows_unknown_tracks_by_reason_with_a_placeholder_where_no_crop_is(small_report):
    page = Page(title_page(small_report))
    assert "too small" in page.text
    assert "quality below the limit" in page.text
    assert any("no picture" in span.get("aria-label", "") for span in page.all("span"))


def test_every_track_is_on_a_time_line_at_its_time(small_report):
    page = Page(title_page(small_report))
    bars = {int(i["data-track"]): i for i in page.all("i") if "data-track" in i}
    assert set(bars) == set(range(len(small_report.tracks)))
    assert bars[2]["style"] == "left:20.0%;width:4.0%"
    assert bars[2]["title"].startswith("Track 2, 0:20–0:24, 97 faces")
    assert "too small" in bars[8]["title"]


def test_links_within_the_page_lead_somewhere_and_ids_are_unique(small_report):
    page = Page(title_page(small_report))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in page.all("a") if a["href"].startswith("#")} <= set(ids)


def test_loads_nothing_from_elsewhere(small_report):
    content = title_page(replace(small_report, season_href="../../index.html"))
    page = Page(content)
    assert all(i["src"].startswith("data:image/jpeg;base64,") for i in page.all("img"))
    assert not page.all("link")
    assert all("src" not in script for script in page.all("script"))
    assert not re.search(rb"https?://|@import|url\((?!data:)", content)
    assert "default-src 'none'" in page.all("meta")[1]["content"]


def test_every_name_is_escaped(make_report):
    report = make_report(
        [(EVIL, 0.0, 5.0, 0, None)] * 3 + [(EVIL, 0.0, 5.0, None, EVIL)],
        title=EVIL,
        videos=(EVIL,),
        names={0: EVIL},
        confidence={0: 0.5},
        pack=EVIL,
        licence=EVIL,
        warnings=[EVIL],
        options={EVIL: {EVIL: EVIL}},
        versions={EVIL: EVIL},
        timings_s={EVIL: 1.0},
        files=[EVIL],
        evaluation=None,
    )
    page = Page(title_page(report))
    assert len(page.all("script")) == 1
    assert page.text.count(EVIL) >= 12


def test_pictures_and_drawings_have_words(small_report):
    page = Page(title_page(small_report))
    assert page.all("img")
    assert all(i["alt"] and i["loading"] == "lazy" for i in page.all("img"))
    assert all("aria-label" in svg or svg.get("aria-hidden") for svg in page.all("svg"))


@pytest.mark.parametrize("clusters", [[0, 0, 0, 1], [0, 1, 2], [0, 0, 0], []])
def test_headings_skip_no_level(make_report, clusters):
    page = Page(title_page(make_report([("a.mp4", 9.0 * k, 9.0 * k + 4, c, None) for k, c in enumerate(clusters)])))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_wcp_is_drawn_only_with_ground_truth(small_report):
    assert "WCP" not in Page(title_page(small_report)).text
    scores = {"wcp": 0.97, "pcr": 1.2, "bcubed_f": 0.9, "bcubed_f_all": 0.88, "clusters": 3}
    evaluation = {"scores": scores, "iterations": {"0": scores, "1": scores}, "identities": 3, "notes": [EVIL]}
    evaluation |= {"appearance_recall": 0.9, "track_purity": 1.0}
    page = Page(title_page(replace(small_report, evaluation=evaluation)))
    assert "97.0 %" in page.text
    assert EVIL in page.text
    assert any("WCP" in svg.get("aria-label", "") for svg in page.all("svg"))


def test_the_reliability_of_confidence_is_drawn_where_it_was_measured(small_report):
    scores = {"wcp": None, "pcr": None, "bcubed_f": None, "bcubed_f_all": None, "clusters": 0}
    evaluation = {"scores": scores, "identities": 3, "notes": [], "appearance_recall": 0.9, "track_purity": 1.0}
    measured = {"bins": [{"low": 0.5, "high": 0.7, "tracks": 9, "mean_confidence": 0.6, "right": 0.625}]}
    for reliability, drawn in ((None, 0), (measured, 1)):
        page = Page(title_page(replace(small_report, evaluation=evaluation | {"reliability": reliability})))
        words = [svg["aria-label"] for svg in page.all("svg") if "Reliability" in svg.get("aria-label", "")]
        assert words == ["Reliability of the confidence: 50–70 %: 9 tracks, 60 % on average, 62 % right"] * drawn


def test_iterations_are_drawn_where_there_were_any(make_report):
    tracks = [("a.mp4", 0.0, 4.0, 0, None)]
    drawn = [svg["aria-label"] for svg in Page(title_page(make_report(tracks))).all("svg") if "aria-label" in svg]
    assert drawn[0] == "Clusters per iteration: 0: 9, 1: 8, 2: 7"
    assert drawn[1].startswith("Mean loss per iteration: 1: 3.500")
    assert "no iteration" in Page(title_page(make_report(tracks, iterations=1))).text


@pytest.mark.parametrize(
    ("tracks", "sentence"),
    [([], "No face was found"), ([("a.mp4", 0.0, 1.0, None, "too small")], "every track stayed Unknown")],
)
def test_a_title_without_characters_says_so(make_report, tracks, sentence):
    assert sentence in Page(title_page(make_report(tracks, iterations=0))).text


def test_a_long_film_stays_below_10_mb(make_report):
    tracks = [("a.mp4", k / 25, k / 25 + 3, None if k % 25 == 0 else k % 60, None) for k in range(2000)]
    content = title_page(make_report(tracks, crops_per_track=2))
    assert len(content) < 10e6
    assert sum("data-track" in bar for bar in Page(content).all("i")) == 2000


def test_same_report_same_bytes(tmp_path, small_report):
    write_title_page(Store(tmp_path), small_report)
    assert Store(tmp_path).read_bytes("report.html") == title_page(small_report)
