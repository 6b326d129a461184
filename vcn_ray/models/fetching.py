"""Downloading insightface's packs: the files that are needed, checked before they are put in place."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import requests
from insightface.utils.download import download_file
from insightface.utils.storage import model_zoo_download_url

from vcn_ray.errors import ModelError
from vcn_ray.models.onnx.file import sha256_of
from vcn_ray.models.pack_info import ModelFile


def download_insightface_archive(pack: str, files: Sequence[ModelFile], folder: Path) -> None:
    """Download an archive of a pack with insightface's own downloader into `folder`, which other programs may use, too.

    Args:
        pack: the archive's name, which is insightface's for the pack.
        files: what is taken from it, under these names, and only if the SHA-256 of all is right: what is in the
            folder is whole.
        folder: made if missing.

    Raises:
        ModelError: the download fails, the archive is not what it should be, or the folder cannot be written.
    """
    url = model_zoo_download_url(f"{pack}.zip")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as name:
            work = Path(name)
            archive = work / "pack.zip"
            with contextlib.redirect_stdout(sys.stderr):  # it prints its progress
                download_file(url, path=os.fspath(archive), overwrite=True)
            _unpack(pack, files, archive, work)
            for file in files:
                (work / file.name).replace(folder / file.name)
    except requests.RequestException as error:
        reason = "no connection" if isinstance(error, requests.ConnectionError) else str(error)
        raise ModelError(
            f"pack {pack!r} cannot be downloaded from {url} ({reason}): try again online, or unpack that file to "
            f"{folder} yourself"
        ) from None
    except RuntimeError as error:  # the downloader's word for a page that is not there
        raise ModelError(f"pack {pack!r} cannot be downloaded ({error}): try again later") from None
    except OSError as error:
        raise ModelError(f"pack {pack!r} cannot be stored in {folder} ({error.strerror or error})") from None


def _unpack(pack: str, files: Sequence[ModelFile], archive: Path, into: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = {PurePosixPath(m.filename).name: m for m in zipped.infolist() if not m.is_dir()}
            for file in files:
                if file.name not in members:
                    raise ModelError(f"pack {pack!r}: the downloaded archive lacks {file.name}; try again later")
                with zipped.open(members[file.name]) as source, open(into / file.name, "wb") as target:
                    shutil.copyfileobj(source, target)
                found = sha256_of(into / file.name)
                if found != file.sha256:
                    raise ModelError(
                        f"pack {pack!r}: the downloaded {file.name} has SHA-256 {found}, not {file.sha256}; "
                        "nothing was installed"
                    )
    except zipfile.BadZipFile:
        raise ModelError(f"pack {pack!r}: the download is cut off or no archive; try again") from None
