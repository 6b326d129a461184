"""``python -m vcn_ray`` is ``vcn-ray``."""

from vcn_ray.cli.commands import main

main()
