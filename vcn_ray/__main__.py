"""``python -m vcn_ray`` is ``vcn-ray``."""

from vcn_ray.cli import main

main()
