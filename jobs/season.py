r"""A run as a job of a Ray cluster, with the arguments of ``vcn-ray run``.

Videos and results lie where all machines of the cluster reach them: in an object store, or on a path that they share.

    ray job submit --runtime-env jobs/runtime_env.yaml -- \
        python jobs/season.py s3://bucket/season1 --out s3://bucket/season1-cast --title "My series"
"""

import sys

from vcn_ray.cli.commands import app

app(["run", *sys.argv[1:], "--address", "auto"], prog_name="season.py")
