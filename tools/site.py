"""A hook of MkDocs: makes the pages of the C reference out of the headers of include/kedge.

A header is read as it is written: comments are the text, what stands below each is its declaration,
`/* ---- Title ---- */` begins a section.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include/kedge"
FOLDER = "reference/c"

# What every header has around its declarations.
FRAME = re.compile(
    r"^#ifndef KEDGE_\w+_H\n#define KEDGE_\w+_H\n|^#ifdef __cplusplus\n.*?#endif\n|\n#endif\n\Z",
    re.MULTILINE | re.DOTALL,
)
SECTION = re.compile(r"/\* -{2,} (.+?) -{2,} \*/")
COMMENT = re.compile(r"/\*(.*?)\*/", re.DOTALL)
DECLARED = re.compile(
    r"^KEDGE_API [^(;]*?\b(kedge_\w+)\(|^typedef (?:struct|enum|union) (kedge_\w+)"
    r"|^typedef [\w ]+?\b(kedge_\w+);|^#define (KEDGE_\w+)",
    re.MULTILINE,
)
LIST_ITEM = re.compile(r" *(?:- |\d+\. )")


@dataclass(frozen=True)
class Part:
    """A comment and the declarations below it; either may be empty."""

    comment: str
    code: str


def unframed(header: str) -> tuple[str, str]:
    """The comment at the head, and what is declared."""
    first = COMMENT.match(header)
    if first is None:
        raise ValueError("a header begins with a comment that says what it is")
    return comment_text(first.group(0)), FRAME.sub("", header[first.end() :].lstrip("\n"))


def comment_text(comment: str) -> str:
    """The lines of a comment, without its stars."""
    lines = comment.removeprefix("/*").removesuffix("*/").split("\n")
    return "\n".join(
        re.sub(r"^ \* ?", "", line) if number else line.lstrip()
        for number, line in enumerate(lines)
    ).rstrip()


def parts_of(body: str) -> list[Part]:
    """What is divided by empty lines, outside of comments and braces."""
    parts: list[Part] = []
    for chunk in re.split(r"\n{2,}(?=[^\s}])", body.strip("\n")):
        comment = COMMENT.match(chunk)
        if comment is None:
            parts.append(Part("", chunk))
        else:
            parts.append(Part(comment.group(0), chunk[comment.end() :].strip("\n")))
    return [part for part in parts if part.comment or part.code]


def markdown_of(comment: str) -> str:
    """The text of a comment: its paragraphs and lists, and as code what is indented."""
    return "\n\n".join(map(markdown_of_paragraph, re.split(r"\n{2,}", comment_text(comment))))


def markdown_of_paragraph(paragraph: str) -> str:
    if re.match(" {3}", paragraph) and not LIST_ITEM.match(paragraph):
        return "\n".join(f"    {line}" for line in paragraph.split("\n"))
    lines: list[str] = []
    in_list = False
    for line in paragraph.split("\n"):
        starts_item = LIST_ITEM.match(line) is not None
        in_list = in_list or starts_item
        is_code = line.startswith("    ") and not in_list
        was_code = bool(lines) and lines[-1].startswith("    ")
        if lines and (starts_item or is_code != was_code):
            lines.append("")
        lines.append(line if is_code else re.sub(r"([*<])", r"\\\1", line).lstrip())
    return "\n".join(lines)


def names_of(code: str) -> list[str]:
    """What a declaration declares, each once, in order."""
    return list(dict.fromkeys(next(filter(None, found)) for found in DECLARED.findall(code)))


def page_of(header: Path) -> str:
    """A header as a page."""
    head, body = unframed(header.read_text(encoding="utf-8"))
    title, _, rest = head.partition("\n")
    name, _, what = title.partition(": ")
    page = [f"# {name}", what, markdown_of(rest.lstrip("\n"))]
    for part in parts_of(body):
        section = SECTION.match(part.comment)
        if section is not None:
            page.append(f"## {section.group(1)}")
        names = names_of(part.code)
        if names:
            page.append("### " + ", ".join(f"`{name}`" for name in names))
        if part.comment and section is None:
            page.append(markdown_of(part.comment))
        if part.code:
            page.append(f"```c\n{part.code}\n```")
    return "\n\n".join(text for text in page if text) + "\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by MkDocs with what it found in docs/."""
    for header in sorted(HEADERS.glob("*.h")):
        uri = f"{FOLDER}/{header.stem}.md"
        files.append(File.generated(config, uri, content=page_of(header)))
    return files
