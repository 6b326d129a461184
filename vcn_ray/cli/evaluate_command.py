"""The command that measures results: ``vcn-ray evaluate``."""

from __future__ import annotations

from typing import Annotated

import typer

from vcn_ray.cli.errors import explained
from vcn_ray.cli.options import Directory, S3Endpoint
from vcn_ray.cli.printing import complain, print_evaluation, print_presence
from vcn_ray.cli.request import folder, use_s3_endpoint
from vcn_ray.errors import OptionError


def evaluate(
    directory: Directory,
    ground_truth: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Labelled faces: a CSV of video, frame, x, y, w, h, identity, shot; or tracks with identities in any "
            "format of docs/track-files.md; or RTTM, for who is on screen when.",
        ),
    ],
    min_tracks: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Leave out identities of fewer good tracks; the paper's data set has 2."),
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Measure results against labelled faces: WCP, PCR, NMI, B-cubed, pairwise F, appearance recall, per iteration.

    The titles' pages get a section with the figures; where they cannot be written, they are printed all the same.
    """
    with explained():
        use_s3_endpoint(s3_endpoint)
        labels = folder("--ground-truth", ground_truth)
        print_measures(folder("DIR", directory), labels, as_json=as_json, min_tracks=min_tracks)


def print_measures(out: str, ground_truth: str, *, as_json: bool = False, min_tracks: int = 1) -> None:
    """Print the figures, then bring them to the titles' pages; of RTTM, which has no boxes, they are printed alone."""
    import vcn_ray
    from vcn_ray.evaluate.presence import is_turns
    from vcn_ray.season.evaluation_pages import show_evaluation

    result = vcn_ray.load(out)
    if is_turns(ground_truth):
        if min_tracks > 1:
            raise OptionError("--min-tracks: RTTM has no tracks; leave it out, or give tracks with identities")
        print_presence(result.evaluate_presence(ground_truth), as_json=as_json)
        return
    evaluation = result.evaluate(ground_truth, min_tracks)
    print_evaluation(evaluation, as_json=as_json)
    for sentence in show_evaluation(result, evaluation):
        complain(sentence)
