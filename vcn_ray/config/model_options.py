"""Which face models to use."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vcn_ray.config.group import OptionGroup


class ModelOptions(OptionGroup):
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
