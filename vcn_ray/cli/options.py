"""Options and arguments that several commands take."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Method(StrEnum):
    """Values of --method."""

    robust = "robust"
    paper = "paper"


class Device(StrEnum):
    """Values of --device."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Out = Annotated[
    str,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for the results, or s3://BUCKET/PREFIX; made if missing."),
]
Directory = Annotated[str, typer.Argument(metavar="DIR", help="Folder of results (--out of a run), or its URL.")]
Title = Annotated[str | None, typer.Option(metavar="NAME", help="This title alone.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any option by name, repeatable; `vcn-ray config` lists them."),
]
Local = Annotated[bool, typer.Option("--local", help="Everything in this process, without Ray workers: to debug.")]
S3Endpoint = Annotated[
    str | None, typer.Option(metavar="URL", help="Server of s3:// URLs that is not AWS's: MinIO and the like.")
]
NumCpus = Annotated[int | None, typer.Option(metavar="N", help="CPUs to use on this machine.  [default: all]", min=1)]
