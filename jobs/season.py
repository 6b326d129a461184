r"""A run as a job of a Ray cluster, with the arguments of ``vcn-ray run``; paths are those of the cluster's machines.

    ray job submit --address http://127.0.0.1:8265 --working-dir . -- \
        python jobs/season.py /data/season1 --out /data/season1-cast --title "My series"
"""

import sys

from vcn_ray.cli import app

app(["run", *sys.argv[1:], "--address", "auto"], prog_name="season.py")
