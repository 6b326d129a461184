"""What the site of docs/ needs beside MkDocs: pages that lie elsewhere or are made, and links that leave docs/.

A hook of `.mkdocs.yml`. Pages are written for GitHub; what is different on the site is done here.
"""

from __future__ import annotations

import posixpath
import re
from itertools import groupby
from pathlib import Path

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from vcn_ray.cli.commands import app
from vcn_ray.config import describe_options

ROOT = Path(__file__).parent.parent
#: Pages that lie elsewhere in the repository, and the names that they have on the site.
ELSEWHERE = {
    "README.md": "index.md",
    ".github/CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "cluster_configs/laptop.md": "laptop.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")
_FENCED = re.compile(r"(^```[\s\S]*?^```$)", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for path, name in ELSEWHERE.items():
        files.append(File.generated(config, name, content=(ROOT / path).read_text(encoding="utf-8")))
    files.append(File.generated(config, "commands.md", content=_commands()))
    files.append(File.generated(config, "options.md", content=_options()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to the repository's files into links to pages; of one that is no page, to the repository or none."""
    here = page.file.src_uri
    if here == "index.md":
        page.meta["hide"] = ["navigation"]  # it has no siblings
    folder = posixpath.dirname(next((path for path, name in ELSEWHERE.items() if name == here), f"docs/{here}"))

    def on_site(link: re.Match[str]) -> str:
        text, target, anchor = link.groups(default="")
        path = posixpath.normpath(posixpath.join(folder, target))
        name = ELSEWHERE.get(path, path.removeprefix("docs/") if path.startswith("docs/") else "")
        file = files.get_file_from_path(name)
        if file is not None:
            # A file's name says little to whoever does not see the files.
            if text in (path, posixpath.basename(path)) and name.endswith(".md"):
                text = _title(file.content_string)
            return f"[{text}]({posixpath.relpath(name, posixpath.dirname(here) or '.')}{anchor})"
        if not (ROOT / path).exists():
            return link[0]  # MkDocs tells that it leads nowhere
        return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{path})" if config.repo_url else f"`{path}`"

    parts = _FENCED.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(on_site, part) for part in parts)


def _title(content: str) -> str:
    return next(line.removeprefix("# ") for line in content.splitlines() if line.startswith("# "))


def _commands() -> str:
    """Every command with what it takes, from the command line's own help."""
    lines = ["# Commands", "", "As `vcn-ray COMMAND --help` tells."]
    for name, command in typer.main.get_command(app).commands.items():
        lines += ["", f"## vcn-ray {name}", "", _text(command.help), "", "| given | what it is |", "|---|---|"]
        for given in command.params:
            record = given.get_help_record(typer.Context(command))
            if record is not None:  # else it is hidden
                lines.append(f"| `{record[0].removesuffix(' <list[str]>')}` | {_text(record[1])} |")
    return "\n".join(lines)


def _options() -> str:
    """Every option with its defaults and the reason to change it."""
    lines = ["# Options", "", "As `vcn-ray config` tells: `--set NAME=VALUE`, or a file with `--config`.", ""]
    lines += ["*paper*: the default with `--method paper`, where it is another."]
    for group, options in groupby(describe_options(), key=lambda option: option.group):
        lines += ["", f"## {group or 'all'}", "", "| option | default | paper | why |", "|---|---|---|---|"]
        for option in options:
            paper = "" if option.paper_default == option.default else f"`{option.paper_default}`"
            lines.append(f"| `{option.name}` | `{option.default}` | {paper} | {_text(option.description)} |")
    return "\n".join(lines)


def _text(told: str) -> str:
    """A sentence of the program as Markdown: what stands outside of code is no markup."""
    parts = re.split(r"(`[^`]*`)", " ".join(told.split()))
    return "".join(
        part.replace("|", "\\|") if part.startswith("`") else re.sub(r"([*_<>\[\]|])", r"\\\1", part) for part in parts
    )
