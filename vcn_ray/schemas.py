"""The Arrow schema of every table that is stored or exported: the data contract.

Boxes are pixels of the source frame as it is displayed (after rotation), origin top-left. ``frame`` is the 0-based
rank of a frame's presentation time in its video stream. ``time_s`` counts from the stream's first frame.
"""

import pyarrow as pa

_BOX = [("x", pa.float32()), ("y", pa.float32()), ("w", pa.float32()), ("h", pa.float32())]

#: One row per detected face, as delivered to the user.
FACES = pa.schema(
    [
        ("title", pa.string()),
        ("video", pa.string()),
        ("frame", pa.int64()),
        ("time_s", pa.float64()),
        ("shot", pa.int32()),
        *_BOX,
        ("score", pa.float32()),  # detector's confidence, 0..1
        ("track_id", pa.int64()),  # unique in the title; detections that no track took are not delivered
        ("cluster_id", pa.int64()),  # unique in the title; null: Unknown
        ("character", pa.string()),  # a name that people gave; null until then
        ("quality", pa.float32()),  # the track's quality, 0..1, see cluster.quality; null where not measured
    ]
)

#: One row per track, as delivered to the user.
TRACKS = pa.schema(
    [
        ("title", pa.string()),
        ("video", pa.string()),
        ("shot", pa.int32()),
        ("track_id", pa.int64()),
        ("first_frame", pa.int64()),
        ("last_frame", pa.int64()),
        ("first_time_s", pa.float64()),
        ("last_time_s", pa.float64()),
        ("faces", pa.int32()),
        ("crops", pa.int32()),
        ("split_from", pa.int64()),  # the track whose later part this was, until two people were found in it; else null
        ("quality", pa.float32()),
        ("confidence", pa.float32()),  # probability that it belongs to its character; null where Unknown or not known
        ("status", pa.string()),  # "clustered" or "unknown"
        ("reason", pa.string()),  # why Unknown: the rule that made it so; null where clustered
        ("cluster_id", pa.int64()),
        ("character", pa.string()),
        ("corrected_by", pa.string()),  # who put it where it is; null where clustering did
    ]
)

#: One row per character of a title, as delivered to the user.
CLUSTERS = pa.schema(
    [
        ("title", pa.string()),
        ("cluster_id", pa.int64()),
        ("character", pa.string()),
        ("name_confidence", pa.float32()),  # probability of the name where a gallery gave it; else null
        ("one_person", pa.float32()),  # probability that its tracks are one person's; null where not known
        ("is_person", pa.float32()),  # probability that it is somebody, no heap of blurs or things; null: not known
        ("tracks", pa.int32()),
        ("faces", pa.int32()),
        ("screen_time_s", pa.float64()),  # total time of frames in which the character is seen
        ("best_track_id", pa.int64()),  # where the best crop is found in the title's `crops` table
        ("best_frame", pa.int64()),
    ]
)


def _with_cast(schema: pa.Schema) -> pa.Schema:
    """The schema with `cast_id` behind `cluster_id`: which member of the season's cast it is; null: Unknown."""
    return schema.insert(schema.get_field_index("cluster_id") + 1, pa.field("cast_id", pa.int64()))


#: The season's tables: those of its titles one below the other, with the cast. A title's own tables stay without it:
#: they do not change when another title is added.
SEASON_FACES, SEASON_TRACKS, SEASON_CLUSTERS = _with_cast(FACES), _with_cast(TRACKS), _with_cast(CLUSTERS)

#: One row per member of the season's cast: characters of its titles that are one.
CAST = pa.schema(
    [
        ("cast_id", pa.int64()),  # 0.. by screen time, longest first; or as an earlier season has it
        ("character", pa.string()),  # its name; null until it is given one
        ("name_confidence", pa.float32()),  # probability of the name where a gallery gave it; else null
        ("titles", pa.int32()),  # how many it is seen in
        ("characters", pa.int32()),
        ("tracks", pa.int32()),
        ("faces", pa.int32()),
        ("screen_time_s", pa.float64()),
        ("first_title", pa.string()),  # the first that it is seen in, in the order of the season
        ("best_title", pa.string()),  # where its picture is found: in this title's `crops` table
        ("best_track_id", pa.int64()),
        ("best_frame", pa.int64()),
    ]
)

#: A title's tracks as clustering found them, before corrections; kept with its work.
FOUND = pa.schema(
    [
        ("track_id", pa.int64()),
        ("cluster_id", pa.int64()),  # by screen time; null: Unknown
        ("quality", pa.float32()),
        ("confidence", pa.float32()),
        ("one_person", pa.float32()),  # of the character, as in CLUSTERS
        ("is_person", pa.float32()),
        ("reason", pa.string()),
    ]
)

#: Which characters were found to be one person, before corrections: `member` is 0.. in the order of the season.
CAST_FOUND = pa.schema([("title", pa.string()), ("cluster_id", pa.int64()), ("member", pa.int64())])

#: Which characters of the titles each member of the cast is.
CAST_CHARACTERS = pa.schema([("title", pa.string()), ("cluster_id", pa.int64()), ("cast_id", pa.int64())])

#: Adaptation: each track by the base model, the one space that all titles share: its mean direction and its clarity.
EMBEDDINGS = pa.schema(
    [
        ("track_id", pa.int64()),
        ("face_id", pa.string()),  # SHA-256 of the network
        ("embedding", pa.list_(pa.float32())),  # length one
        ("clarity", pa.float32()),  # how clear the faces are: mean length of the network's own embeddings
    ]
)

#: Stage 1: a face as a shard found it. In a shard's table `track_id` and `shot` are local to the shard; `assemble`
#: numbers them for the title.
STAGE1_FACES = pa.schema(
    [
        ("video", pa.string()),
        ("frame", pa.int64()),
        ("time_s", pa.float64()),
        ("shot", pa.int32()),
        *_BOX,
        ("score", pa.float32()),
        # x0, y0, ... x4, y4: eyes, nose, mouth corners (image left first); null where not detected. Not a list
        # of fixed size: pyarrow below 26 cannot read back one that is null.
        ("landmarks", pa.list_(pa.float32())),
        ("sharpness", pa.float32()),
        ("verdict", pa.string()),  # null: good for a crop; else why not ("too small", "too blurred", "too unsure", ...)
        ("track_id", pa.int64()),
    ]
)

#: Stage 1: a track of the title. `reason` is set where the track has no crop to be recognised by.
STAGE1_TRACKS = pa.schema(
    [
        ("video", pa.string()),
        ("shot", pa.int32()),
        ("track_id", pa.int64()),
        ("first_frame", pa.int64()),
        ("last_frame", pa.int64()),
        ("first_time_s", pa.float64()),
        ("last_time_s", pa.float64()),
        ("faces", pa.int32()),
        ("crops", pa.int32()),
        ("reason", pa.string()),
    ]
)

#: Tracks in which two people were found, by track and frame: from `first_frame` on its faces are another track's.
SPLITS = pa.schema([("track_id", pa.int64()), ("first_frame", pa.int64()), ("new_track_id", pa.int64())])

#: Stage 1: the shots of a video, in order. A shot ends where the next begins, or at the end of the video.
SHOTS = pa.schema(
    [
        ("video", pa.string()),
        ("shot", pa.int32()),
        ("first_frame", pa.int64()),
        ("last_frame", pa.int64()),
        ("transition", pa.string()),  # how it begins: "start", "cut" or "dissolve"
    ]
)

#: Aligned sample crops, ordered by (track_id, frame).
CROPS = pa.schema(
    [
        ("track_id", pa.int64()),
        ("video", pa.string()),
        ("frame", pa.int64()),
        ("score", pa.float32()),
        ("sharpness", pa.float32()),
        ("jpeg", pa.binary()),  # aligned face, 112 x 112, RGB
    ]
)

#: Pairs of tracks that overlap in time within a shot: two people, never one character. track_a < track_b.
CANNOT_LINK = pa.schema([("track_a", pa.int64()), ("track_b", pa.int64())])

#: Per iteration of adaptation (iteration 0: the base model), one row; WCP and the like need ground truth and are
#: computed by `evaluate` from ITERATION_CLUSTERS.
ITERATIONS = pa.schema(
    [
        ("iteration", pa.int32()),
        ("clusters", pa.int32()),
        ("unknown", pa.int32()),
        ("changed_tracks", pa.int32()),  # tracks in another cluster than in the iteration before
        ("mean_loss", pa.float64()),
        ("teacher_entropy", pa.float64()),  # mean H(p), nats
        ("mean_output_entropy", pa.float64()),  # H(mean p), nats: near zero means collapse
        ("kl_teacher_student", pa.float64()),
        ("mean_quality", pa.float64()),
        ("mean_confidence", pa.float64()),  # of the clustered tracks; null where not known
        ("delivered", pa.bool_()),  # whether this clustering is the title's result
        ("matched_pairs", pa.int64()),
        ("warning", pa.string()),  # what training noticed, such as a collapse; null where nothing
    ]
)

#: The clustering after each iteration: what `evaluate` scores for the table over iterations (paper, S Tab. 2).
ITERATION_CLUSTERS = pa.schema(
    [("iteration", pa.int32()), ("track_id", pa.int64()), ("cluster_id", pa.int64()), ("quality", pa.float32())]
)

#: What a gallery says of each member of a cast: the people of the gallery that it may be, or nobody, by rank.
NAMES = pa.schema(
    [
        ("cast_id", pa.int64()),
        ("character", pa.string()),  # what the cast calls it now
        ("rank", pa.int32()),  # 1: the most probable
        ("name", pa.string()),  # of the gallery; null: nobody of the gallery, or a member of its cast without a name
        ("gallery_cast_id", pa.int64()),  # where the gallery is a season: its member of the cast; null: nobody
        ("probability", pa.float32()),
        ("given", pa.bool_()),  # whether it was given as the member's name, or number
    ]
)

#: Where a person is seen, one row per track of the characters found, by probability and time.
SIGHTINGS = pa.schema(
    [
        ("season", pa.string()),  # folder or URL of the results
        ("title", pa.string()),
        ("video", pa.string()),
        ("character", pa.string()),  # a name, "Cast 3", or "Unknown"
        ("cast_id", pa.int64()),  # null: an Unknown track
        ("track_id", pa.int64()),
        ("first", pa.string()),  # time code, HH:MM:SS.mmm
        ("last", pa.string()),
        ("first_frame", pa.int64()),
        ("last_frame", pa.int64()),
        ("first_time_s", pa.float64()),
        ("last_time_s", pa.float64()),
        ("probability", pa.float32()),  # that the character is the person
        ("confidence", pa.float32()),  # that the track belongs to the character; null where not known
    ]
)


def as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of a schema and no others; null where an earlier version did not write one."""
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(schema.names).cast(schema)
