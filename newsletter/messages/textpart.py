"""Blocks as the lines of the text part: made from the Markdown itself, not from the finished HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import unescape

import nh3
from markdown_it.tree import SyntaxTreeNode

from newsletter.messages.markdown import Block, Button, Picture, Prose, Statements
from newsletter.messages.plain import BREAK, Line
from newsletter.messages.prose import Pictures
from newsletter.messages.sentinels import Sentinels

Part = Line | str  # a str is kept as it is: statements, an empty line, code
_EMPTY = "\n"


@dataclass(frozen=True)
class Writer:
    """Writes blocks as text; pictures become their description in brackets."""

    pictures: Pictures
    sentinels: Sentinels

    def write(self, blocks: Sequence[Block]) -> Iterator[Part]:
        """The paragraphs of all blocks, an empty line after each."""
        for block in blocks:
            if isinstance(block, Statements):
                yield block.words
                continue
            yield from self._block(block)
            yield _EMPTY

    def _block(self, block: Block) -> Iterator[Part]:
        if isinstance(block, Prose):
            yield from self._several(SyntaxTreeNode(list(block.tokens)).children)
        elif isinstance(block, Picture):
            yield Line(self._described(block.alt or self.pictures.get(block.source, block.line).alt))
        elif isinstance(block, Button):
            yield Line(f"{block.label}:{BREAK}{self._address(block.address)}")
        else:
            yield Line("* * *", first="    ")

    def _several(self, nodes: Sequence[SyntaxTreeNode], *, apart: bool = True) -> Iterator[Part]:
        for index, node in enumerate(nodes):
            if index and apart:
                yield _EMPTY
            yield from self._node(node)

    def _node(self, node: SyntaxTreeNode) -> Iterator[Part]:
        if node.type == "heading":
            yield Line(self._words(node), underline={"h1": "=", "h2": "-"}.get(node.tag, ""))
        elif node.type in {"bullet_list", "ordered_list"}:
            yield from self._list(node)
        elif node.type == "blockquote":
            yield from _indented(self._several(node.children), "  ", "  ")
        elif node.type in {"fence", "code_block"}:
            yield "".join(f"    {line}\n" for line in node.content.rstrip("\n").split("\n"))
        elif node.type == "table":
            for row in (row for part in node.children for row in part.children):
                yield Line(" | ".join(self._words(cell) for cell in row.children))
        elif node.type == "html_block":
            yield from self._html(node.content)
        else:
            yield Line(self._words(node))

    def _html(self, html: str) -> Iterator[Part]:
        if not self.sentinels.pattern.sub("", html).strip():
            yield "".join(match[0] for match in self.sentinels.pattern.finditer(html))
        elif words := unescape(nh3.clean(html, tags=set())).strip():
            yield Line(words)

    def _list(self, node: SyntaxTreeNode) -> Iterator[Part]:
        number = int(node.attrs.get("start", 1))
        for index, item in enumerate(node.children):
            label = f"{number + index}. " if node.type == "ordered_list" else "- "
            loose = any(child.type == "paragraph" and not child.hidden for child in item.children)
            if index and loose:
                yield _EMPTY
            yield from _indented(self._several(item.children, apart=loose), label, " " * len(label))

    def _words(self, node: SyntaxTreeNode) -> str:
        return "".join(self._inline(child) for child in node.children)

    def _inline(self, node: SyntaxTreeNode) -> str:
        if node.type == "image":
            return self._described(node.content or self.pictures.get(str(node.attrs["src"]), 1).alt)
        if node.type == "html_inline":
            return BREAK if node.content.lower().startswith("<br") else ""
        if node.type in {"softbreak", "hardbreak"}:
            return " " if node.type == "softbreak" else BREAK
        if node.type == "link":
            return self._link(self._words(node), str(node.attrs["href"]))
        return self._words(node) if node.children else node.content

    def _link(self, words: str, address: str) -> str:
        shown = address.removeprefix("mailto:").removeprefix("tel:")
        target = self._address(shown)
        return f"<{target}>" if self._same(words, shown) else f"{words} <{target}>"

    def _address(self, address: str) -> str:
        return self.pictures.links.slot(self.sentinels.in_address(address))

    def _same(self, words: str, address: str) -> bool:
        """Whether a link shows its own address."""

        def code(text: str) -> str:
            return self.sentinels.pattern.sub(lambda m: self.sentinels.pieces[int(m[1])].code.strip(), text)

        return code(words) == code(address)

    @staticmethod
    def _described(alt: str) -> str:
        return f"[Picture: {alt}]"


def _indented(inner: Iterator[Part], first: str, rest: str) -> Iterator[Part]:
    for part in inner:
        if isinstance(part, Line):
            yield replace(part, first=first + part.first, rest=rest + part.rest)
            first = rest
        else:
            yield part
