"""Reading ONNX files that may come from anywhere: nothing in one can run code or reach a file outside its folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from vcn_ray.errors import ModelError


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, hexadecimal; `ModelError` when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{os.fspath(path)}: cannot be read ({error.strerror}); check the path") from None


def read_onnx(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """Read an ONNX model with its weights, also those kept in files beside it.

    Raises:
        ModelError: no such file, not ONNX, or weights that are missing or lie outside the model's folder.
    """
    file = Path(path).expanduser()
    model = _parse(file)
    for tensor in _tensors(model.graph):
        if uses_external_data(tensor):
            _load_beside(tensor, file)
    return model


def onnx_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 that stands for an ONNX model: of its file or, where weights lie beside it, of all files' SHA-256.

    Raises `ModelError` like `read_onnx`.
    """
    file = Path(path).expanduser()
    model = _parse(file)
    beside = {_beside(t, file) for t in _tensors(model.graph) if uses_external_data(t)}
    own = sha256_of(file)
    if not beside:
        return own
    parts = [own, *(f"{p.relative_to(file.parent.resolve()).as_posix()} {sha256_of(p)}" for p in sorted(beside))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def attends(path: str | os.PathLike[str]) -> bool:
    """Whether an ONNX model may be a transformer: a convolutional one has no softmax. `ModelError` like `read_onnx`."""
    return any(node.op_type == "Softmax" for node in _parse(Path(path).expanduser()).graph.node)


def external_files(path: str | os.PathLike[str]) -> list[str]:
    """Files beside an ONNX model that hold weights of it, as paths from its folder; most models have none.

    Raises `ModelError` where the model cannot be read or names a file outside its folder.
    """
    file = Path(path).expanduser()
    beside = [tensor for tensor in _tensors(_parse(file).graph) if uses_external_data(tensor)]
    for tensor in beside:
        _beside(tensor, file)
    return sorted({os.path.normpath(_location(tensor)) for tensor in beside})


def _parse(file: Path) -> onnx.ModelProto:
    try:
        model = onnx.ModelProto.FromString(file.read_bytes())
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror}); check the path") from None
    except DecodeError:
        raise ModelError(f"{file}: not an ONNX model, or cut off; export or download it again") from None
    if not model.graph.node:
        raise ModelError(f"{file}: an ONNX model without a network in it; export or download it again")
    return model


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _location(tensor: onnx.TensorProto) -> str:
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def _beside(tensor: onnx.TensorProto, file: Path) -> Path:
    location = _location(tensor)
    folder = file.parent.resolve()
    weights = (folder / location).resolve()  # follows links: a link out of the folder leads outside, too
    if not location or weights == folder or not weights.is_relative_to(folder):
        raise ModelError(f"{file}: keeps weights in {location!r}, outside its own folder; such a model is not opened")
    return weights


def _load_beside(tensor: onnx.TensorProto, file: Path) -> None:
    weights = _beside(tensor, file)
    try:
        load_external_data_for_tensor(tensor, str(file.parent.resolve()))
    except (OSError, ValueError, onnx.checker.ValidationError):
        raise ModelError(f"{file}: its weights in {weights} cannot be read; keep that file beside the model") from None
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]
