"""What documents and docstrings point to is there: pages, headings, modules, the sources of the method."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "cluster_configs" / "laptop.md"]
SOURCES = [
    path
    for folder in ("vcn_ray", "jobs", "tests", "cluster_configs")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".yaml", ".yml", ".json", ".j2") and path != Path(__file__)
]


def _prose(page: Path) -> str:
    """A page without its blocks of code, in which '#' begins a comment."""
    return re.sub(r"^```[\s\S]*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub links to them."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _found(pattern: str, text: str, path: Path) -> Iterator[tuple[str, re.Match[str]]]:
    """Each match with the place that it is in, for a message."""
    for match in re.finditer(pattern, text):
        yield f"{path.relative_to(ROOT)}: {match[0]}", match


def _is_there(target: Path, anchor: str | None) -> bool:
    return target.exists() and (anchor is None or anchor in _anchors(target))


def test_pages_and_headings_that_are_named_are_there() -> None:
    pattern = r"(?<![\w/])(docs/[\w-]+\.md)(?:#([\w-]+))?"
    files = [*SOURCES, *PAGES, ROOT / "CHANGELOG.md"]
    cited = [one for path in files for one in _found(pattern, path.read_text(encoding="utf-8"), path)]
    assert cited
    assert [where for where, match in cited if not _is_there(ROOT / match[1], match[2])] == []


def test_links_lead_somewhere() -> None:
    pattern = r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)"
    links = [(page, *one) for page in PAGES for one in _found(pattern, _prose(page), page)]
    assert links
    wrong = [where for page, where, link in links if not _is_there(page.parent / link[1] if link[1] else page, link[2])]
    assert wrong == []


def test_sections_that_a_page_names_by_number_are_there() -> None:
    for page in PAGES:
        numbers = re.findall(r"^#+ (\d+)\. ", _prose(page), re.MULTILINE)
        named = _found(r"\bsee section (\d+)", _prose(page), page)
        assert [where for where, match in named if match[1] not in numbers] == []


def test_pictures_are_shown_and_light() -> None:
    shown = {page.parent / link for page in PAGES for link in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", _prose(page))}
    assert {path.resolve() for path in shown} == set((ROOT / "docs" / "pictures").iterdir())
    assert all(path.stat().st_size < 200_000 for path in shown)


def test_modules_that_pages_name_are_there() -> None:
    named = [one for page in PAGES for one in _found(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", _prose(page), page)]
    assert named
    places = (ROOT, ROOT / "vcn_ray")
    assert [where for where, match in named if not any((place / match[1]).is_file() for place in places)] == []


def test_what_is_cited_of_the_method_is_the_paper_or_its_supplement() -> None:
    """P and S in docs/method.md; of no other letter is there a page to look at."""
    pattern = r"\(([A-Z]) \d+(?:\.\d+)*\b[^)\n]*\)?"
    cited = [one for path in SOURCES for one in _found(pattern, path.read_text(encoding="utf-8"), path)]
    assert cited
    assert [where for where, match in cited if match[1] not in "PS"] == []
