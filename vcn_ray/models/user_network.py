"""A face-ID network of the user's own, on every machine that needs it.

The user names one file (ONNX) or one folder (a vision transformer of timm's), on the machine of the driver or in an
object store. The driver puts it into the folder of results under the digest of its contents, as
``models/<digest>/<digest>.onnx`` with weights that lie beside it, or ``models/<digest>/<digest>.vit/``. Workers are
given that address in the place of the user's; a worker on another machine fetches the network once into a folder of
its machine. Wherever it lies, its digest says whether it is the right one, and results depend on that alone.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vcn_ray.config import ModelOptions, Options
from vcn_ray.errors import ModelError, OutputError, VcnError
from vcn_ray.models.onnx.file import external_files, onnx_digest
from vcn_ray.models.vit.folder import CONFIG, WEIGHTS, missing, vit_digest
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.store import Store

_FOLDER = "models"
_PUBLISHED = re.compile(r"(?P<folder>.+/(?P<digest>[0-9a-f]{64}))/(?P<name>(?P=digest)\.(onnx|vit))")


@dataclass(frozen=True)
class _Kind:
    """A kind of network: what files it is, all of them below the folder that the network's own name stands in."""

    option: str
    suffix: str
    digest: Callable[[Path], str]
    first_file: Callable[[str], str]  # by the network's name
    other_files: Callable[[Path], list[str]]  # by the network's path, where its first file is


_ONNX = _Kind("face_id_onnx", ".onnx", onnx_digest, lambda name: name, external_files)
_VIT = _Kind(
    "face_id_vit", ".vit", vit_digest, lambda name: f"{name}/{CONFIG}", lambda path: [f"{path.name}/{WEIGHTS}"]
)


def _kind(models: ModelOptions) -> _Kind:
    return _ONNX if models.face_id_onnx is not None else _VIT


def publish(options: Options, out: Store, published: dict[str, str] | None = None) -> Options:
    """Put the user's own network into the folder of results; for the driver, before any work.

    Args:
        options: of the run, or of a title.
        out: the folder of results.
        published: what this run has published, by the location that the user gave; filled, so that a network that
            many titles share is read once.

    Returns:
        The options with the network's address in `out`; as they were where the pack's own is used.

    Raises:
        ModelError: the network cannot be read, or is not what it should be.
        OutputError: `out` cannot be written.
    """
    location = options.models.own_network
    if location is None or _PUBLISHED.fullmatch(location):
        return options
    kind, known = _kind(options.models), {} if published is None else published
    if location not in known:
        with _copied(kind, location) as network:
            digest = kind.digest(network)
            folder, name = f"{_FOLDER}/{digest}", f"{digest}{kind.suffix}"
            first = f"{folder}/{kind.first_file(name)}"
            if not out.exists(first):  # it is written last: where it is, the others are, too
                for file in kind.other_files(network):
                    own = file.replace(network.name, name, 1) if file.startswith(f"{network.name}/") else file
                    out.write_bytes(f"{folder}/{own}", (network.parent / file).read_bytes())
                out.write_bytes(first, (network.parent / kind.first_file(network.name)).read_bytes())
            known[location] = out.where(f"{folder}/{name}")
    return options.model_copy(update={"models": options.models.with_own_network(known[location])})


def stored_in(models: ModelOptions, out: Store) -> ModelOptions:
    """The options with a published network's address in `out`, where a folder of results has been moved or copied."""
    found = _PUBLISHED.fullmatch(models.own_network or "")
    if found is None:
        return models
    folder = f"{_FOLDER}/{found['digest']}"
    if not out.exists(f"{folder}/{_kind(models).first_file(found['name'])}"):
        return models
    return models.with_own_network(out.where(f"{folder}/{found['name']}"))


def network_digest(models: ModelOptions) -> str | None:
    """SHA-256 of the user's own network, where the user put it or `publish` did; None where the pack's is used.

    Raises `ModelError` where there is no such network.
    """
    location = models.own_network
    if location is None:
        return None
    found = _PUBLISHED.fullmatch(location)
    if found is not None:
        return found["digest"]
    kind = _kind(models)
    with _copied(kind, location) as network:
        return kind.digest(network)


def localise(models: ModelOptions) -> ModelOptions:
    """The options with the published network's files on this machine, checked; for workers, and whoever loads a pack.

    A network in an object store is fetched into ``vcn-ray/networks`` below XDG_CACHE_HOME (default ``~/.cache``), once
    a machine. What was never published is left as it is. Raises `ModelError` where what is stored is another network,
    `OutputError` where it cannot be had or kept.
    """
    found, kind = _PUBLISHED.fullmatch(models.own_network or ""), _kind(models)
    if found is None:
        return models
    if is_object_url(found["folder"]):
        path = _fetched(kind, found["folder"], found["digest"])
    else:
        path = Path(found[0])
        _check(kind, path, found["digest"], found[0])
    return models.with_own_network(str(path))


def _check(kind: _Kind, path: Path, digest: str, location: str) -> None:
    if kind.digest(path) != digest:
        raise ModelError(
            f"{location} is not the network that was put there: its SHA-256 is another; delete its folder and run the "
            "same command again"
        )


@contextmanager
def _copied(kind: _Kind, location: str) -> Iterator[Path]:
    """The network's files in a temporary folder, and nothing from outside its own folder."""
    with tempfile.TemporaryDirectory(prefix="vcn-ray-network-") as folder:
        if is_object_url(location):
            parent, _, name = location.rstrip("/").rpartition("/")
            if name in (".", ".."):  # as a path of the copy they would lead elsewhere
                raise ModelError(f"option '{kind.option}': {location} ends in {name!r}; write the whole address")
            store, copy = Store(parent), Path(folder, name)
            try:
                _check_there(kind, store, location, name)
                _copy(kind, copy, store.read_bytes)
            except OutputError as error:
                raise ModelError(f"option '{kind.option}': {error}") from None
        else:
            source = Path(location).expanduser().absolute()
            kind.digest(source)  # says what is wrong with a network that is missing or none
            if source.name == "..":  # the copy would lie outside of its folder
                source = source.resolve()
            copy = Path(folder, source.name)
            _copy(kind, copy, lambda file: (source.parent / file).read_bytes())
        yield copy


def _check_there(kind: _Kind, store: Store, location: str, name: str) -> None:
    """Say what a transformer's folder in an object store lacks; a file's own error says what is wrong with it."""
    if kind is not _VIT:
        return
    present = [key.rpartition("/")[2] for key in store.keys(f"{name}/")]
    for file in (CONFIG, WEIGHTS):
        if file not in present:
            raise ModelError(f"{location}: {missing(file, present)}")


def _copy(kind: _Kind, target: Path, read: Callable[[str], bytes]) -> None:
    """Put a network of the target's name at the target; `read` is given its files from the folder that it lies in."""

    def put(file: str) -> None:
        path = target.parent / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read(file))

    put(kind.first_file(target.name))
    for file in kind.other_files(target):
        put(file)


def _fetched(kind: _Kind, folder: str, digest: str) -> Path:
    """The network in this machine's cache; other processes of the machine wait while one fetches it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "vcn-ray" / "networks"
    path = cache / digest / f"{digest}{kind.suffix}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with open(cache / f"{digest}.lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_right(kind, path, digest):
                shutil.rmtree(path.parent, ignore_errors=True)
                with tempfile.TemporaryDirectory(prefix=f"{digest[:16]}-", dir=cache) as arriving:
                    copy = Path(arriving, "network", path.name)
                    _copy(kind, copy, Store(folder).read_bytes)
                    _check(kind, copy, digest, f"{folder}/{path.name}")
                    copy.parent.rename(path.parent)
    except OSError as error:
        raise OutputError(
            f"{cache}: a copy of the face-ID network cannot be kept there ({error.strerror}); "
            "name a folder that can be written in the environment variable XDG_CACHE_HOME"
        ) from None
    return path


def _is_right(kind: _Kind, path: Path, digest: str) -> bool:
    """Whether the cache holds the network, whole."""
    try:
        return path.exists() and kind.digest(path) == digest
    except VcnError:
        return False
