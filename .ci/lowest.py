"""Print the lowest version that ``pyproject.toml`` declares of everything, as constraints for ``pip install -c``.

torch is left out: its range is narrowed to what is tested, and old wheels of it are for other machines than these.
What is required without a lower bound is an error: nobody would know what it works with.
"""

import itertools
import re
import sys
import tomllib
from pathlib import Path

#: Requirements that the newest version is tested of alone.
NEWEST = {"torch"}

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LOWEST = re.compile(r"(?:>=|==)\s*([0-9][0-9A-Za-z.]*?)(?:\.\*)?(?=\s*(?:,|$))")


def lowest(requirement: str) -> tuple[str, str]:
    """The name and the lowest version of a requirement such as ``ray[data]==2.60.*``; ValueError where it has none."""
    name = _NAME.match(requirement)
    found = _LOWEST.search(requirement.split(";")[0].strip())
    if name is None or found is None:
        raise ValueError(f"pyproject.toml: {requirement!r} has no lower bound (>= or ==)")
    return name[0], found[1]


def main(project: Path) -> None:
    """Print one constraint a line."""
    declared = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    wanted = list(itertools.chain(declared["dependencies"], *declared["optional-dependencies"].values()))
    for name, version in map(lowest, wanted):
        if name not in NEWEST:
            print(f"{name}=={version}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
