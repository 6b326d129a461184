"""Names of a title's steps in its store, and versions of what they hold.

Below the title's ``work/``: ``probe/`` (one record a video), ``shards/`` (one folder a shard), ``tracks/``, ``views/``
(chunks of cached views), ``split``, ``adapt/`` (one folder an iteration). A step is done when its marker
(``STEP.done.json``) bears the digest of what it depends on (`digests`).
"""

from __future__ import annotations

#: Raise it when stage 1 computes something else from the same video and options: stored shards are then redone.
STAGE1_VERSION = 2

#: The same for the joining of stored shards to a title's tracks.
TRACKS_VERSION = 2

#: The same for a title's results.
RESULTS_VERSION = 8

#: Ends the key of a step's marker.
MARKER = ".done.json"

#: Versions of the stored views and iterations (with the splits before them); raise one whenever what they hold changes.
VIEWS_VERSION = 2
ITERATIONS_VERSION = 9

#: Step of a title whose tracks are joined, and of one whose results are written.
TRACKS, RESULTS = "tracks", "results"

#: A title's tracks as found (`schemas.FOUND`), and what its tables hold beyond that: a digest of the corrections there.
FOUND_KEY, CORRECTED_KEY = "found.parquet", "corrected.json"

#: The same once the whole season has shown some tracks to be somebody else; there only where it has.
REASSIGNED_KEY = "found_in_season.parquet"

#: What people said of a title's tracks that its clustering is held to.
LINKS_KEY = "links.json"

#: Whom people had forgotten, as corrections: tracks found there are dropped when a title's tracks are joined.
FORGOTTEN_KEY = "forgotten.json"

#: Digests of what links were before somebody was forgotten, by that of what is left of them (see `title_state`).
LINKS_BEFORE_KEY = "links_before_forgetting.json"

#: Each track's mean direction by the base model (`schemas.EMBEDDINGS`), stored with iteration 0: what matches titles.
EMBEDDINGS_KEY = "adapt/00/embeddings.parquet"


#: Figures drawn of results, in the season's folder and in a title's; the latter go when the title's tables change.
FIGURES_FOLDER = "figures"


def step_of(iteration: int) -> str:
    """Step of an iteration in the title's store."""
    return f"adapt/{iteration:02d}"
