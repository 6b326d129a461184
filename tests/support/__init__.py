"""What several tests need: small stages, a small title, a server that misbehaves."""

import os
from pathlib import Path

_TESTS = Path(__file__).parents[1]

#: For programs of this folder that a test starts: ``python -m support.NAME`` then finds it and the project.
PROGRAM_ENVIRONMENT = {"PYTHONPATH": os.pathsep.join([str(_TESTS.parent), str(_TESTS)])}
