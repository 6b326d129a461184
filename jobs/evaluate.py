r"""Results measured against labelled faces as a job of a Ray cluster, with the arguments of ``vcn-ray evaluate``.

It runs on the machine that the driver runs on, where the results and the labels are read; it starts no tasks.

    ray job submit --runtime-env jobs/runtime_env.yaml -- \
        python jobs/evaluate.py s3://bucket/season1-cast --ground-truth s3://bucket/labels.csv --json
"""

import sys

from vcn_ray.cli.commands import app

app(["evaluate", *sys.argv[1:]], prog_name="evaluate.py")
