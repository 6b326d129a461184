"""Makes the stand-in stages importable by the tests of this folder, and known to Ray's workers."""

import sys
from pathlib import Path

from ray import cloudpickle

sys.path.insert(0, str(Path(__file__).parent))

import standins

cloudpickle.register_pickle_by_value(standins)
