"""Every option, once: name with its unit, default, and why one would change it.

Options come in groups by the stage that they belong to; names are unique across groups, so a user can say
``--set sample_every_frames=6`` without naming the group. `method` picks the defaults: ``robust`` is what was found to
work, ``paper`` is VideoClusterNet as published, where docs/method.md names no exception. A stage's digest
covers the options that its result depends on.
"""

from __future__ import annotations

import difflib
import json
from typing import Any, Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vcn_ray.calibration import Calibration
from vcn_ray.errors import OptionError
from vcn_ray.storage.store import digest

Method = Literal["robust", "paper"]
DetectorChoice = Literal["pack", "centerface", "pack+centerface"]
LandmarksChoice = Literal["refined", "detector"]
ViewsPrecision = Literal["float32", "bfloat16"]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelOptions(_Group):
    """Which face models to use."""

    pack: str = Field(
        "opencv-zoo",
        description="face detector and face-ID network by name (see `vcn-ray models`); the default is free for any use",
    )
    face_id_onnx: str | None = Field(
        None, description="ONNX file of another face-ID network (112x112 input) to use instead of the pack's own"
    )
    face_id_vit: str | None = Field(
        None,
        description="folder of a vision transformer as timm saves it (config.json, model.safetensors; 112x112 input), "
        "to use instead of the pack's own network; needs `pip install 'vcn-ray[vit]'`",
    )
    face_id_input: Literal["auto", "raw", "centred"] = Field(
        "auto",
        description="what pixels a network of your own takes: raw 0..255, or centred, (x - 127.5) / 127.5; auto: of "
        "face_id_onnx raw where it begins by normalising the image itself, of face_id_vit what its config.json says",
    )

    @field_validator("face_id_vit")
    @classmethod
    def _one_network(cls, folder: str | None, info: ValidationInfo) -> str | None:
        if folder is not None and info.data.get("face_id_onnx") is not None:
            raise PydanticCustomError("one_network", "takes nothing beside face_id_onnx: a run has one face-ID network")
        return folder

    @property
    def own_network(self) -> str | None:
        """Where the user's own face-ID network is, whichever kind; None: the pack's is used."""
        return self.face_id_vit if self.face_id_onnx is None else self.face_id_onnx

    def with_own_network(self, location: str) -> ModelOptions:
        """The same, with the user's own network at another place."""
        return self.model_copy(update={"face_id_vit" if self.face_id_onnx is None else "face_id_onnx": location})


class TrackOptions(_Group):
    """Stage 1: shots, faces, tracks, crops."""

    detector: DetectorChoice = Field(
        "pack",
        description="pack: the pack's own; pack+centerface: CenterFace, too, in frames where that sees no face of 32 "
        "pixels or more, for footage of small faces (such frames take six times as long); centerface: that alone",
    )
    landmarks: LandmarksChoice = Field(
        "refined",
        description="refined: those of a crop are found anew on an enlarged picture of the face (5 ms a crop), where "
        "the pack has what finds them; detector: as the detector saw them",
    )
    detect_every_frames: int | Literal["auto"] = Field(
        "auto",
        description="detect in every n-th frame, boxes between on a straight line; higher is faster and loses short or "
        "fast faces; auto: some twelve times a second of film, which finds as many people as each frame does (every "
        "2nd frame at 24 to 30 frames a second, every 5th at 60)",
    )
    detect_max_side_px: int = Field(
        640,
        ge=160,
        le=4096,
        description="frames are scaled down to this longer side for detection; raise it for small faces",
    )
    sample_every_frames: int = Field(
        12, ge=1, description="one crop of a track every n frames (paper, S Alg. 1); lower gives more, similar crops"
    )
    min_crops: int = Field(
        4, ge=1, description="at least this many crops from a short track, where it has as many faces"
    )
    min_face_px: int = Field(
        12, ge=4, description="a face smaller than this (shorter side, pixels of the source) gives no crop"
    )
    min_face_score: float = Field(
        0.6, ge=0, le=1, description="a face that the detector is less sure of gives no crop; lower it for poor footage"
    )
    min_sharpness: float = Field(
        0.12,
        ge=0,
        description="a face with less fine structure gives no crop (0.12: blurred by a tenth of its width; sharp: 1); "
        "higher leaves more Unknown",
    )
    max_shot_s: float = Field(
        120.0,
        ge=5,
        description="long takes are tracked in pieces of this length, rejoined by overlap; bounds one task's time",
    )

    @field_validator("detect_every_frames", mode="before")
    @classmethod
    def _frames_or_auto(cls, every: Any) -> Any:
        """One sentence for both kinds of value."""
        try:
            if every == "auto" or (1 <= int(every) <= 12 and float(every) == int(every)):
                return every
        except (TypeError, ValueError):
            pass
        raise PydanticCustomError("frames", "takes auto, or a whole number from 1 to 12")


class AdaptOptions(_Group):
    """Stage 2: self-supervised adaptation of the face-ID network to the title."""

    max_iterations: int = Field(10, ge=0, le=50, description="limit on adaptation iterations; 0 keeps the base model")
    min_iterations: int = Field(
        2, ge=0, le=50, description="adapted iterations before the clusters may count as settled (paper, S 8: 5)"
    )
    settled_share: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="the clusters have settled when at most this share of the tracks changes its character (paper: 0)",
    )
    depth: Literal["auto", "head", "tail", "full", "full_on_gpu"] = Field(
        "auto",
        description="what is trained: the head on cached views, also the last linear layer, or the whole network (on a "
        "CPU 60 times the head's time); auto: the head, which was found best on GPUs, too, where the whole network "
        "merged people; full_on_gpu: the whole network on a GPU, the head on a CPU",
    )
    head: Literal["residual", "random"] = Field(
        "residual",
        description="residual starts at the base model; random is the paper's head, which may collapse",
    )
    random_head_scale: float = Field(
        1.0,
        gt=0,
        description="initial weights of the random head, as a multiple of PyTorch's own; small ones take many steps to "
        "say anything",
    )
    teacher_start: Literal["copy", "apart"] = Field(
        "copy", description="the teacher's head at the start: the student's, or random weights of its own (paper)"
    )
    teacher_temperature: float = Field(
        2.0,
        gt=0,
        description="softness of the teacher's targets; low is sharp: gains on some titles, collapses on others",
    )
    student_temperature: float = Field(
        2.0, gt=0, description="softness of the student's outputs; keep equal to the teacher's"
    )
    centre_momentum: float = Field(
        0.9, ge=0, lt=1, description="memory of the running mean of teacher outputs, per batch"
    )
    teacher_momentum: float = Field(
        0.9, ge=0, lt=1, description="share of the teacher that stays when it follows the student, per epoch"
    )
    first_epochs: int = Field(30, ge=1, description="epochs of the first iteration")
    later_epochs: int = Field(10, ge=1, description="epochs of each later iteration")
    head_only_epochs: int = Field(
        10, ge=0, description="first epochs that train the heads alone, where depth is more than the head"
    )
    warmup_epochs: int = Field(5, ge=0, description="epochs of each iteration over which the learning rate rises")
    head_lr: float = Field(1e-3, gt=0, description="highest learning rate of the head")
    network_lr: float = Field(1e-4, gt=0, description="highest learning rate of the network, where it is trained")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's weight decay")
    max_gradient_norm: float = Field(3.0, gt=0, description="gradients longer than this are shortened to it")
    balance_characters: bool = Field(
        True,
        description="all characters found before count the same in training, a lead as much as an extra, and Unknown "
        "tracks as their crops do; false: all crops count the same",
    )
    patch_loss: float = Field(
        0.0,
        ge=0,
        description="weight of masked patch tokens beside the class token in the loss (iBOT: 1), for a vision "
        "transformer at depth full; 0: the class token alone",
    )
    batch_pairs: int = Field(64, ge=1, description="pairs of crops a step; lower it where a GPU's memory is short")
    min_batches_per_epoch: int = Field(
        8, ge=1, description="an epoch takes each crop once, or more often where a short title would make fewer steps"
    )
    cached_global_views: int = Field(
        1,
        ge=1,
        description="wide views of each crop embedded beforehand, a fifth of a CPU's time each; more gain little",
    )
    cached_local_views: int = Field(
        2,
        ge=2,
        description="narrow views of each crop embedded beforehand, a fifth of a CPU's time each; more gain little",
    )
    max_crops_per_track: int = Field(
        12,
        ge=2,
        description="crops of a long track that are used, evenly spaced; more cost time and repeat one another",
    )
    views_precision: ViewsPrecision = Field(
        "float32",
        description="of the network that embeds crops and views; bfloat16 takes less than half the time on CPUs with "
        "AMX (`lscpu`: amx_bf16) and moves embeddings a little (six seasons kept their figures); holds for every "
        "machine of a run",
    )
    quality_passes: int = Field(5, ge=2, description="dropout passes from which a crop's quality is told")
    quality_dropout: float = Field(
        0.5, ge=0.01, le=0.95, description="share of the last layer's input that a quality pass leaves out"
    )

    @field_validator("patch_loss")
    @classmethod
    def _on_pixels(cls, weight: float, info: ValidationInfo) -> float:
        """Cached views and features are one vector a view: with its tokens they would take 50 to 200 times the room."""
        if weight and info.data.get("depth") not in ("full", "full_on_gpu", None):
            raise PydanticCustomError(
                "patch_loss", "takes 0 unless depth is full: what else is trained sees stored views, without tokens"
            )
        return weight

    def check_device(self, device: str) -> None:
        """`OptionError` where patch tokens are to be trained and this device ('cpu', 'cuda:0') trains a head alone."""
        if self.patch_loss and self.depth == "full_on_gpu" and not device.startswith("cuda"):
            raise OptionError(
                "option 'patch_loss': a CPU trains the head alone with depth full_on_gpu, on views that are embedded "
                "once and keep no patch tokens; set depth to full, or patch_loss to 0"
            )


class ClusterOptions(_Group):
    """Quality, matching and stage 3: parameter-free clustering."""

    merging: str = Field(
        "evidence",
        description="evidence: cut where the title's own pairs no longer speak for one character; literal and literal "
        "means: the paper's own-crop thresholds, by the loss over all pairs of crops or of mean outputs; or a method "
        "of the field, such as hac, on the base model's embeddings, to compare",
    )
    matching: Literal["members", "gaussian", "mutual"] = Field(
        "members",
        description="who trains together in the next iteration: tracks of one cluster, or the paper's Gaussian "
        "matches, in either direction (gaussian) or in both (mutual)",
    )
    quality_deviation: Literal["mean", "median", "scaled_median"] = Field(
        "mean", description="which MAD the quality filter uses (S eq. 1 does not say); median drops more tracks"
    )
    quality_factor: float = Field(
        2.7, gt=0, description="tracks this many deviations below the mean quality are filtered out (S eq. 1)"
    )
    low_quality: Literal["attach", "unknown"] = Field(
        "attach",
        description="filtered and unclear tracks join a character where the evidence suffices, or all stay Unknown as "
        "in the paper",
    )
    false_merge_cost: float = Field(
        1.0,
        gt=0,
        description="how many wrong splits one wrong merge is worth: 1 merges what is more probable than not; 10 wants "
        "odds of 10 to 1, so fewer characters hold two people and more people have two characters",
    )
    memory_mb: int = Field(
        1700,
        ge=64,
        description="memory for pairs of tracks: a title of more tracks than matrices of all pairs fit for (1700: "
        "4,000 tracks) is clustered by lists of each track's nearest, 8 to 64 as the memory lets them be; what tracks "
        "take one by one comes on top",
    )
    calibration: Calibration | None = Field(
        None,
        description="what is known of the face-ID network, as `python -m jobs.benchmarks calibration` prints it; "
        "default: that of the pack, or, for a network of your own, what the title itself lets guess",
    )

    @field_validator("calibration", mode="before")
    @classmethod
    def _from_text(cls, calibration: Any) -> Any:
        """On a command line it is written as JSON."""
        if not isinstance(calibration, str):
            return calibration
        try:
            return json.loads(calibration)
        except ValueError:
            raise PydanticCustomError("json", 'takes {"stranger_mean": 0.1, ...} on a command line') from None


class RunOptions(_Group):
    """How the work is spread. `device`, `threads_per_title` and `workers_per_title` change the result's last bits."""

    window_s: float = Field(
        20.0, ge=1, description="length of a shard of video; shorter spreads better, longer seeks less"
    )
    num_cpus: int | None = Field(None, ge=1, description="CPUs of the local Ray; default: all of the machine")
    address: str | None = Field(
        None, description="address of a running Ray cluster; default: start one on this machine"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where adaptation runs; auto: a GPU where Ray has one"
    )
    threads_per_title: int = Field(
        2,
        ge=1,
        le=64,
        description="threads of a title's adaptation, whatever else the machine does: the same number, the same bytes",
    )
    gpus_per_title: float | Literal["auto"] = Field(
        "auto",
        description="share of a GPU for each worker of a title, where adaptation runs on GPUs: 0.25 puts four titles "
        "on one (a share of time: Ray does not share out memory); auto: as many as its memory carries, eight at most, "
        "one where its kind or the network's need is not known",
    )
    workers_per_title: int = Field(
        1,
        ge=1,
        le=64,
        description="workers, each with a GPU of its own, that train one title together: for a few long titles, more "
        "GPUs than titles and depth full; with many titles one each is faster, and a head alone gains nothing",
    )
    max_titles_adapting: int | None = Field(
        None,
        ge=1,
        description="titles that may adapt at once; default: as many as the CPUs or GPUs of now carry; set it on a "
        "cluster that starts machines when asked",
    )

    dashboard: bool = Field(False, description="start Ray's dashboard on http://127.0.0.1:8265 with the local Ray")
    cpu_hour_cost: float | None = Field(
        None, ge=0, description="price of an hour of one CPU, in any currency; the summary of a run then tells its cost"
    )
    gpu_hour_cost: float | None = Field(
        None, ge=0, description="price of an hour of one GPU, without the CPUs of its machine; for the summary, too"
    )

    @field_validator("gpus_per_title", mode="before")
    @classmethod
    def _share_or_auto(cls, share: Any) -> Any:
        """One sentence for both kinds of value."""
        try:
            if share == "auto" or 0 < float(share) <= 1:
                return share
        except (TypeError, ValueError):
            pass
        raise PydanticCustomError("share", "takes auto, or a number above 0 and up to 1")

    @field_validator("workers_per_title")
    @classmethod
    def _whole_gpus(cls, workers: int, info: ValidationInfo) -> int:
        """NCCL refuses two workers of a group on one GPU, after minutes; say so now."""
        share = info.data.get("gpus_per_title", "auto")
        if workers > 1 and share != "auto" and share < 1:
            raise PydanticCustomError("whole_gpus", "takes 1 where gpus_per_title is below 1")
        return workers


_GROUPS: dict[str, type[_Group]] = {
    "models": ModelOptions,
    "tracks": TrackOptions,
    "adapt": AdaptOptions,
    "cluster": ClusterOptions,
    "run": RunOptions,
}

#: Defaults that `method: paper` changes; each is an option of its own.
_PAPER: dict[str, Any] = {
    # S 1.1: random 3-layer head, the teacher's drawn apart; S 1.3: one learning rate. The rest is iBOT's published
    # training, which S 1.3 points to; its student temperature (0.1) is not taken: the paper's loss has none. Its
    # teacher's momentum is per step, the paper's per epoch: this one, the pairs of a step and matches in both
    # directions are what comes nearest to the paper's course over iterations (docs/method.md).
    "head": "random",
    "teacher_start": "apart",
    "depth": "full_on_gpu",  # the paper trains all of it; a CPU would take 60 times the head's time
    "teacher_temperature": 0.07,
    "student_temperature": 1.0,
    "teacher_momentum": 0.9,
    "batch_pairs": 16,
    "head_lr": 1e-4,
    "weight_decay": 0.04,
    "min_iterations": 5,  # S 8
    "settled_share": 0.0,  # S Alg. 1: until nothing changes
    "balance_characters": False,
    # P 3.5, 3.7, S eq. 1
    "merging": "literal",
    "matching": "mutual",
    "low_quality": "unknown",
}


class Options(_Group):
    """All options of a run."""

    method: Method = Field("robust", description="robust: what was found to work; paper: VideoClusterNet as published")
    seed: int = Field(0, ge=0, lt=2**31, description="seed of every random number; same seed, same clusters")
    models: ModelOptions = ModelOptions()
    tracks: TrackOptions = TrackOptions()
    adapt: AdaptOptions = AdaptOptions()
    cluster: ClusterOptions = ClusterOptions()
    run: RunOptions = RunOptions()

    def digest(self, *groups: str) -> str:
        """Digest of the named groups ('models', 'tracks', ...), with method and seed where adaptation is among them."""
        parts: dict[str, Any] = {name: getattr(self, name).model_dump() for name in groups}
        if "adapt" in groups or "cluster" in groups:
            parts |= {"method": self.method, "seed": self.seed}
        return digest(parts)


def option_names() -> dict[str, str]:
    """Name of every option with its group ('' for method and seed)."""
    names = {"method": "", "seed": ""}
    for group, model in _GROUPS.items():
        names |= dict.fromkeys(model.model_fields, group)
    return names


class OptionInfo(NamedTuple):
    """What there is to say about an option."""

    group: str  # '' for method and seed
    name: str
    default: Any
    paper_default: Any  # with `method: paper`
    description: str


def describe_options() -> list[OptionInfo]:
    """Every option with its defaults and why one would change it, in the order of the groups."""
    groups: dict[str, type[_Group]] = {"": Options, **_GROUPS}
    return [
        OptionInfo(group, name, field.default, _PAPER.get(name, field.default), field.description or "")
        for group, model in groups.items()
        for name, field in model.model_fields.items()
        if name not in _GROUPS
    ]


def make_options(settings: dict[str, Any] | None = None) -> Options:
    """Options from settings by flat name (``{"sample_every_frames": 6}``), the rest by the method's defaults.

    Values may be text, as from a command line. Raises `OptionError` that names the option, what it takes and, for an
    unknown name, the nearest known one.
    """
    settings = dict(settings or {})
    names = option_names()
    for name in settings:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise OptionError(f"unknown option {name!r}{hint or '.'} `vcn-ray config` lists all options")
    nested: dict[str, Any] = {}
    for name, value in ((_PAPER if settings.get("method") == "paper" else {}) | settings).items():
        if isinstance(value, str) and value.lower() in ("none", "null"):
            value = None
        group = names[name]
        (nested.setdefault(group, {}) if group else nested)[name] = value
    try:
        return Options.model_validate(nested)
    except ValidationError as error:
        first = cast(Any, error.errors()[0])
        name = next((str(part) for part in first["loc"] if part in names), "options")
        keys = first["loc"][first["loc"].index(name) + 1 :] if name in first["loc"] else ()
        if keys and first["type"] == "extra_forbidden":
            known = list(Calibration.model_fields)
            near = difflib.get_close_matches(str(keys[0]), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            raise OptionError(f"option {name!r} has no key {str(keys[0])!r}; {hint}") from None
        where = f"{name!r}: {keys[0]}" if keys else f"{name!r}"
        raise OptionError(
            f"option {where}: {first['msg'].lower()}, not {first['input']!r}; see `vcn-ray config`"
        ) from None
