"""Galleries: folders of reference pictures with names, as ``Name/*.jpg`` or ``Name.jpg``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vcn_ray.corrections.correction import check_new_name, one_spelling
from vcn_ray.errors import InputError
from vcn_ray.storage.store import Store

#: Endings of files that are taken for pictures.
ENDINGS = ("jpg", "jpeg", "png", "webp")


@dataclass(frozen=True)
class GalleryPicture:
    """A picture of a person: where it lies, and whom it shows."""

    store: Store
    key: str
    name: str

    @property
    def where(self) -> str:
        """Path or URL, for messages."""
        return self.store.where(self.key)

    def read(self) -> bytes:
        """What the file holds; `OutputError` where it cannot be read."""
        return self.store.read_bytes(self.key)


@dataclass(frozen=True)
class Gallery:
    """Pictures by name and file, and a sentence on each file that is none."""

    pictures: tuple[GalleryPicture, ...]
    problems: tuple[str, ...] = ()


def find_gallery(folder: str) -> Gallery:
    """What lies in a folder of pictures, or below an ``s3://`` prefix; hidden files are passed over.

    Several pictures of one name are of one person, wherever they lie. Raises `InputError` where there is no picture.
    """
    store = Store(folder)
    pictures: list[GalleryPicture] = []
    problems: list[str] = []
    for key in store.keys(""):
        parts = key.split("/")
        if any(part.startswith(".") for part in parts):
            continue
        try:
            pictures.append(GalleryPicture(store, key, _name_of(parts)))
        except InputError as error:
            problems.append(f"{store.where(key)} {error}")
    if not pictures:
        why = f"; {problems[0]}" if problems else ""
        raise InputError(
            f"{folder}: no reference picture is there: put some in as Name/picture.jpg or Name.jpg "
            f"({', '.join(ENDINGS)}){why}"
        )
    return Gallery(tuple(sorted(pictures, key=lambda picture: (picture.name, picture.key))), tuple(problems))


def pictures_of_one(paths: Sequence[str], name: str) -> Gallery:
    """Pictures that all show one person: files, folders with nothing else in them, or ``s3://`` URLs of either.

    Raises `InputError` where one of them is not there.
    """
    pictures: list[GalleryPicture] = []
    for path in paths:
        parent, _, last = path.rstrip("/").rpartition("/")
        whole, beside = Store(path), Store(parent or ("/" if path.startswith("/") else "."))
        if _is_picture(last) and parent != "s3:/" and beside.exists(last):
            pictures.append(GalleryPicture(beside, last, name))
            continue
        inside = [GalleryPicture(whole, key, name) for key in whole.keys("") if _is_picture(key)]
        if not inside:
            raise InputError(f"{path}: no picture is there ({', '.join(ENDINGS)}); check the path")
        pictures += inside
    return Gallery(tuple(pictures))


def clean_name(text: str) -> str:
    """A name as corrections have it; `InputError` where it cannot be one."""
    name = one_spelling(text)
    try:
        check_new_name(name)
    except InputError as error:
        raise InputError(f"names nobody: {error}; call the file or its folder by the person's name") from None
    return name


def _name_of(parts: Sequence[str]) -> str:
    """Name that a file of the gallery goes by; `InputError` where it is no picture, or nothing says whom it shows."""
    if not _is_picture(parts[-1]):
        raise InputError(f"is no picture that can be read ({', '.join(ENDINGS)})")
    if len(parts) > 2:
        raise InputError("lies too deep to say whom it shows; a gallery holds Name/picture.jpg or Name.jpg")
    return clean_name(parts[0] if len(parts) == 2 else parts[0].rpartition(".")[0])


def _is_picture(key: str) -> bool:
    return key.rpartition(".")[2].lower() in ENDINGS
