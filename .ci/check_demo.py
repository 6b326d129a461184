"""Hold the demo's result against its floor: ``check_demo.py DIR EVALUATION_JSON``; exits 1 where it falls short."""

import json
import sys
from pathlib import Path

#: measure -> least value. Lower than what is reached, so that only a real loss fails.
FLOORS = {"track_purity": 0.97, "appearance_recall": 0.95, "wcp": 0.95, "bcubed_f": 0.9, "bcubed_f_all": 0.88}

EXPECTED = ("index.html", "season.json", "faces.csv", "tracks.csv", "clusters.csv", "titles/demo/report.html")


def main(folder: Path, evaluation: Path) -> int:
    """Print every measure beside its floor; 1 where one is below it or a file is missing, else 0."""
    figures = json.loads(evaluation.read_text(encoding="utf-8"))
    figures |= figures.pop("scores")
    short = [name for name, floor in FLOORS.items() if figures[name] is None or figures[name] < floor]
    for name, floor in FLOORS.items():
        print(f"{name:18} {figures[name]}  (at least {floor}){'  TOO LOW' if name in short else ''}")
    missing = [name for name in EXPECTED if not (folder / name).is_file() or not (folder / name).stat().st_size]
    for name in missing:
        print(f"{folder / name} is missing or empty")
    return 1 if short or missing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
