"""Every option, once: name with its unit, default, and why one would change it.

Options come in groups by the stage that they belong to; names are unique across groups, so a user can say
``--set sample_every_frames=6`` without naming the group. `method` picks the defaults: ``robust`` is what was found to
work, ``paper`` is VideoClusterNet as published, where docs/method.md names no exception. A stage's digest
covers the options that its result depends on.
"""

from vcn_ray.config.adapt_options import AdaptOptions, ViewsPrecision
from vcn_ray.config.cluster_options import ClusterOptions
from vcn_ray.config.model_options import ModelOptions
from vcn_ray.config.options import OptionInfo, Options, describe_options, make_options, option_names
from vcn_ray.config.run_options import RunOptions
from vcn_ray.config.track_options import DetectorChoice, LandmarksChoice, TrackOptions

__all__ = [
    "AdaptOptions",
    "ClusterOptions",
    "DetectorChoice",
    "LandmarksChoice",
    "ModelOptions",
    "OptionInfo",
    "Options",
    "RunOptions",
    "TrackOptions",
    "ViewsPrecision",
    "describe_options",
    "make_options",
    "option_names",
]
