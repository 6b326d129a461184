"""Ask whether the addresses that pages link to are still there; exit code 1 where one is not. Not part of `.ci/run`.

What says that the page has gone counts (404, 410, no such host, no answer); who refuses programs (403, 429) says
nothing of it.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import requests

ROOT = Path(__file__).parent.parent
#: Hosts that are examples, or this machine.
_NOT_ASKED = re.compile(r"https?://(127\.0\.0\.1|localhost|[\w.-]*example\.(org|com)|minio\.local)")


def links() -> dict[str, str]:
    """Every address of the repository's pages, with the first page that names it."""
    found: dict[str, str] = {}
    folders = [ROOT, *(ROOT / name for name in (".github", "cluster_configs", "docs", "docs/api"))]
    for page in (path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in (".md", ".ipynb")):
        for address in re.findall(r"https?://[^\s<>()\"'`\]\\]+", page.read_text(encoding="utf-8")):
            if not _NOT_ASKED.match(address):
                found.setdefault(address.rstrip(".,;:"), page.relative_to(ROOT).as_posix())
    return found


def is_gone(address: str) -> str | None:
    """Why a page is taken to be gone; None where it is there, or nothing can be said of it."""
    for pause_s in (0, 5, 20):
        time.sleep(pause_s)
        try:
            answer = requests.get(address, timeout=30, stream=True, headers={"User-Agent": "link check"})
        except requests.RequestException as error:
            why = type(error).__name__
            continue
        answer.close()
        if answer.status_code < 500:
            return str(answer.status_code) if answer.status_code in (404, 410) else None
        why = str(answer.status_code)
    return why


def main() -> int:
    """Print what is gone."""
    gone = [(address, page, why) for address, page in links().items() if (why := is_gone(address)) is not None]
    for address, page, why in gone:
        print(f"{page}: {address}: {why}")
    print(f"{len(links())} addresses, {len(gone)} gone")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
