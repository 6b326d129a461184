"""The page of a season: its titles with faces and counts, failed ones with their sentence."""

import json
import re

from vcn_ray.export.season_page import SeasonEntry, SeasonReport, failed_entry, season_entry, write_season_page
from vcn_ray.storage import Store

EVIL = "<script>alert(1)</script>"


def _write(tmp_path, entries, **more):
    report = SeasonReport(
        **{"name": "Season 1", "entries": entries, "method": "robust", "pack": "p", "licence": "l"} | more
    )
    write_season_page(Store(tmp_path), report)
    return Store(tmp_path).read_bytes("index.html").decode()


def test_lists_titles_with_link_counts_and_faces(tmp_path, small_report):
    entry = season_entry(small_report, "titles/pilot/report.html")
    assert (entry.characters, entry.tracks, entry.unknown, entry.duration_s) == (3, 10, 2, 200.0)
    assert [face.name for face in entry.strip] == ["Zoë", "Character 0", "Character 2"]
    page = _write(tmp_path, [entry])
    assert '<a href="titles/pilot/report.html">Pilot</a>' in page
    assert page.count("<img") == 3
    assert "numbered per title" not in page


def test_a_failed_title_shows_why_and_does_not_count(tmp_path, small_report):
    entries = [season_entry(small_report, "x.html"), failed_entry("Reel", "b.mp4 is empty: copy it again", ["b.mp4"])]
    page = _write(tmp_path, entries)
    assert "b.mp4 is empty: copy it again" in page
    assert "1 failed" in page
    assert re.search(r"<dt>Tracks</dt><dd>10</dd>", page)


def test_entries_survive_storage(small_report):
    for entry in (season_entry(small_report, "x.html"), failed_entry("t", "why", [])):
        assert SeasonEntry.from_dict(json.loads(json.dumps(entry.to_dict()))) == entry


def test_every_name_is_escaped(tmp_path, make_report):
    report = make_report([(EVIL, 0.0, 5.0, 0, None)], title=EVIL, videos=(EVIL,), names={0: EVIL})
    page = _write(
        tmp_path,
        [season_entry(report, EVIL), failed_entry(EVIL, EVIL, [EVIL])],
        name=EVIL,
        pack=EVIL,
        licence=EVIL,
        warnings=[EVIL],
        versions={EVIL: EVIL},
    )
    assert EVIL not in page
    assert page.count("<script>") == 1


def test_seasons_without_titles_and_titles_without_characters(tmp_path, make_report):
    assert "No title." in _write(tmp_path, [])
    assert "No character found." in _write(tmp_path, [season_entry(make_report([]), "x.html")])


def test_a_hundred_titles_stay_small(tmp_path, make_report):
    report = make_report([("a.mp4", float(k), k + 1.0, k, None) for k in range(40)])
    page = _write(tmp_path, [season_entry(report, "x.html")] * 100)
    assert len(page) < 6e6
    assert page.count("and 28 more") == 100
