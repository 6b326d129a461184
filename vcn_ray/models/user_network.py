"""A face-ID network of the user's own, on every machine that needs it.

The user names one file, on the machine of the driver or in an object store. The driver puts it into the folder of
results under the digest of its contents, ``models/<digest>/<digest>.onnx``, with weights that lie beside it. Workers
are given that address in the place of the user's; a worker on another machine fetches the network once into a folder
of its machine. Wherever the file lies, its digest says whether it is the right one, and results depend on that alone.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vcn_ray.config import ModelOptions, Options
from vcn_ray.errors import ModelError, OutputError, VcnError
from vcn_ray.models.onnx.file import external_files, onnx_digest
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.store import Store

_FOLDER = "models"
_PUBLISHED = re.compile(r"(?P<folder>.+/(?P<digest>[0-9a-f]{64}))/(?P=digest)\.onnx")


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
        ModelError: the file cannot be read, or is no ONNX.
        OutputError: `out` cannot be written.
    """
    location = options.models.face_id_onnx
    if location is None or _PUBLISHED.fullmatch(location):
        return options
    known = {} if published is None else published
    if location not in known:
        with _copied(location) as network:
            digest = onnx_digest(network)
            address = f"{_FOLDER}/{digest}/{digest}.onnx"
            if not out.exists(address):  # it is written last: where it is, the weights beside it are, too
                for weights in external_files(network):
                    out.write_bytes(f"{_FOLDER}/{digest}/{weights}", (network.parent / weights).read_bytes())
                out.write_bytes(address, network.read_bytes())
            known[location] = out.where(address)
    models = options.models.model_copy(update={"face_id_onnx": known[location]})
    return options.model_copy(update={"models": models})


def stored_in(models: ModelOptions, out: Store) -> ModelOptions:
    """The options with a published network's address in `out`, where a folder of results has been moved or copied."""
    found = _PUBLISHED.fullmatch(models.face_id_onnx or "")
    address = "" if found is None else f"{_FOLDER}/{found['digest']}/{found['digest']}.onnx"
    if not address or not out.exists(address):
        return models
    return models.model_copy(update={"face_id_onnx": out.where(address)})


def network_digest(location: str) -> str:
    """SHA-256 of the network at a location that the user gave or `publish` made; `ModelError` where there is none."""
    found = _PUBLISHED.fullmatch(location)
    if found is not None:
        return found["digest"]
    with _copied(location) as network:
        return onnx_digest(network)


def localise(models: ModelOptions) -> ModelOptions:
    """The options with the published network's file on this machine, checked; for workers, and whoever loads a pack.

    A network in an object store is fetched into ``vcn-ray/networks`` below XDG_CACHE_HOME (default ``~/.cache``), once
    a machine. What was never published is left as it is. Raises `ModelError` where what is stored is another network,
    `OutputError` where it cannot be had or kept.
    """
    found = _PUBLISHED.fullmatch(models.face_id_onnx or "")
    if found is None:
        return models
    if is_object_url(found["folder"]):
        path = _fetched(found["folder"], found["digest"])
    else:
        path = Path(found[0])
        _check(path, found["digest"], found[0])
    return models.model_copy(update={"face_id_onnx": str(path)})


def _check(path: Path, digest: str, location: str) -> None:
    if onnx_digest(path) != digest:
        raise ModelError(
            f"{location} is not the network that was put there: its SHA-256 is another; delete its folder and run the "
            "same command again"
        )


@contextmanager
def _copied(location: str) -> Iterator[Path]:
    """The network and the weights beside it in a temporary folder, and nothing from outside its own folder."""
    with tempfile.TemporaryDirectory(prefix="vcn-ray-network-") as folder:
        if is_object_url(location):
            parent, _, name = location.rpartition("/")
            store, copy = Store(parent), Path(folder, name)
            try:
                copy.write_bytes(store.read_bytes(name))
                _copy_weights(copy, copy, store.read_bytes)
            except OutputError as error:
                raise ModelError(f"option 'face_id_onnx': {error}") from None
        else:
            source = Path(location).expanduser()
            copy = Path(folder, source.name)
            onnx_digest(source)  # says what is wrong with a file that is missing or no network
            copy.write_bytes(source.read_bytes())
            _copy_weights(source, copy, lambda weights: (source.parent / weights).read_bytes())
        yield copy


def _copy_weights(network: Path, copy: Path, read: Callable[[str], bytes]) -> None:
    for weights in external_files(network):
        target = copy.parent / weights
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(read(weights))


def _fetched(folder: str, digest: str) -> Path:
    """The network's file in this machine's cache; other processes of the machine wait while one fetches it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "vcn-ray" / "networks"
    path = cache / digest / f"{digest}.onnx"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with open(cache / f"{digest}.lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_right(path, digest):
                shutil.rmtree(path.parent, ignore_errors=True)
                with tempfile.TemporaryDirectory(prefix=f"{digest[:16]}-", dir=cache) as arriving:
                    copy = Path(arriving, "network", path.name)
                    copy.parent.mkdir()
                    store = Store(folder)
                    copy.write_bytes(store.read_bytes(path.name))
                    _copy_weights(copy, copy, store.read_bytes)
                    _check(copy, digest, f"{folder}/{path.name}")
                    copy.parent.rename(path.parent)
    except OSError as error:
        raise OutputError(
            f"{cache}: a copy of the face-ID network cannot be kept there ({error.strerror}); "
            "name a folder that can be written in the environment variable XDG_CACHE_HOME"
        ) from None
    return path


def _is_right(path: Path, digest: str) -> bool:
    """Whether the cache holds the network, whole."""
    try:
        return path.is_file() and onnx_digest(path) == digest
    except VcnError:
        return False
