"""The page of a season: its titles with faces and counts, failed ones with their sentence."""

import json
import re

import pyarrow as pa
import pytest

from vcn_ray import schemas
from vcn_ray.export.season_page import (
    MOST_MEMBERS,
    SeasonEntry,
    SeasonReport,
    cast_members,
    failed_entry,
    season_entry,
    write_season_page,
)
from vcn_ray.storage.store import Store

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
    assert re.search(r"<dt>Characters</dt><dd>3</dd>", page)


def test_a_title_with_doubtful_tracks_leads_to_their_review(tmp_path, make_report):
    tracks = [("a.mp4", 5.0 * k, 5.0 * k + 4, 0, None) for k in range(4)]
    entry = season_entry(make_report(tracks, confidence={0: 0.4, 1: 0.95, 2: 0.6}), "t/report.html")
    assert entry.doubtful == 2
    assert re.search(r'<a href="t/report.html#review">2\s*to review</a>', _write(tmp_path, [entry]))
    assert "to review" not in _write(tmp_path, [season_entry(make_report(tracks), "t/report.html")])


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


def _cast(names_of_members, titles):
    """The page's cast: `titles` is, by title, the (member, seconds) of each of its characters."""
    clusters, member_of = {}, {}
    for title, characters in titles.items():
        rows = []
        for cluster, (member, seconds) in enumerate(characters):
            rows.append({"title": title, "cluster_id": cluster, "tracks": 2, "faces": 9, "screen_time_s": seconds})
            member_of[title, cluster] = member
        clusters[title] = pa.Table.from_pylist(rows, schemas.CLUSTERS)
    rows = []
    for member, name in enumerate(names_of_members):
        own = {title: [s for m, s in characters if m == member] for title, characters in titles.items()}
        rows.append(
            {"cast_id": member, "character": name, "titles": sum(map(bool, own.values()))}
            | {"screen_time_s": float(sum(sum(times) for times in own.values()))}
        )
    cast = pa.Table.from_pylist(rows, schemas.CAST)
    hrefs = {title: f"titles/{n}/report.html" for n, title in enumerate(titles)}
    return cast_members(cast, clusters, member_of, hrefs, {0: "data:image/jpeg;base64,AAAA"}), member_of


_TITLES = {"One": [(0, 40.0), (1, 30.0), (0, 10.0)], "Two": [(0, 100.0)], "Three": [(1, 300.0)]}


def test_a_member_of_the_cast_is_shown_in_each_title_where_it_is_seen():
    (first, second), _ = _cast([None, "Zoë"], _TITLES)
    assert (first.name, second.name) == ("Cast 0", "Zoë")
    assert [cell and (cell.href, cell.time, cell.share) for cell in first.presence] == [
        ("titles/0/report.html#c0", "50s", 17),
        ("titles/1/report.html#c0", "2m", 33),
        None,
    ]
    assert second.presence[0].href == "titles/0/report.html#c1"
    assert second.presence[2].text == "Zoë in Three: 5 min, 2 tracks"
    assert (first.picture is None, second.picture is None) == (False, True)


def test_the_page_has_a_row_per_member_and_a_cell_per_title(tmp_path, make_report):
    members, member_of = _cast([None, "Zoë"], _TITLES)
    entries = [
        season_entry(make_report([("a.mp4", 0.0, 4.0, 0, None)], title=title), f"titles/{n}/report.html")
        for n, title in enumerate(_TITLES)
    ]
    page = _write(
        tmp_path, entries, members=members, cast_size=70, recurring=2, cast_of_character=member_of, warnings=["Mind"]
    )
    rows = re.findall(r'<tr id="cast-(\d)">(.*?)</tr>', page, re.DOTALL)
    assert [(number, row.count('<td class="in">'), row.count("<a ")) for number, row in rows] == [
        ("0", 3, 2),
        ("1", 3, 2),
    ]
    assert '<a href="titles/2/report.html#c0" title="Zoë in Three: 5 min, 2 tracks"' in rows[1][1]
    assert "and 68 more" in page
    assert re.search(r"<dt>Cast</dt><dd>70 <small>2 in several titles</small></dd>", page)
    assert page.count('<a href="#cast-0">Cast 0</a>') == 2
    assert page.count('<a href="#cast-1">Cast 1</a>') == 1


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_the_shortest_presence_is_still_seen(seconds):
    (member,), _ = _cast([None], {"One": [(0, seconds)]})
    assert member.presence[0].share >= 1
    assert member.presence[0].time == "1s"


def test_many_members_are_cut_off():
    characters = [(member, 500.0 - member) for member in range(MOST_MEMBERS + 30)]
    members, _ = _cast([None] * len(characters), {"One": characters, "Two": characters})
    assert len(members) == MOST_MEMBERS


def test_names_in_the_cast_are_escaped(tmp_path):
    members, _ = _cast([EVIL], {EVIL: [(0, 5.0)], "Two": [(0, 5.0)]})
    page = _write(tmp_path, [SeasonEntry(EVIL, "done", href=EVIL)] * 2, members=members, cast_size=1)
    assert EVIL not in page
    assert page.count("<script>") == 1
