"""Makes the programs of jobs/ importable, as they find one another when they are run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "jobs"))
