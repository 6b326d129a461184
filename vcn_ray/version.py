"""The version of the installed package."""

from importlib import metadata

try:
    __version__ = metadata.version("vcn-ray")
except metadata.PackageNotFoundError:  # the bare folder, as `ray job submit --working-dir` sends it
    __version__ = "not installed"
