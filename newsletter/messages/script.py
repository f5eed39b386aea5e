"""One part of a message (subject, preheader, HTML or text) as a compiled template that can say where it failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from types import CodeType, TracebackType

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.utils import missing

from newsletter.errors import RenderError, SourceError
from newsletter.messages.dialect import Dialect, check, href
from newsletter.messages.folding import folded
from newsletter.messages.links import Link
from newsletter.messages.sentinels import Piece

LARGEST_PART = 400_000  # characters; four times what Gmail shows before it clips, so only a runaway reaches it
_AT_ONCE = 200  # pieces between two looks at the size; few emails have more


class _Reader(Context):
    """What a template asks for its names; without inheritance and blocks, making one takes a tenth of the time."""

    name, blocks, globals_keys = None, {}, set()  # nothing is ever added to them

    def __init__(self, eval_ctx: EvalContext, names: dict[str, object]) -> None:
        self.parent, self.vars, self.exported_vars = names, {}, set()
        self.environment, self.eval_ctx = eval_ctx.environment, eval_ctx

    def resolve_or_missing(self, key: str) -> object:
        return self.parent.get(key, missing)


@dataclass(frozen=True)
class Script:
    """A compiled template and which operator's tag each of its lines came from.

    `standing` are the pieces that it prints the same for every reader, but for the addresses in the places of its
    `links`. `always` is all of it where it asks for nothing.
    """

    template: Template
    lines: Mapping[int, Piece]
    standing: frozenset[str]
    dialect: Dialect
    links: Sequence[Link] = ()
    always: list[str] | None = None

    @classmethod
    def compile(
        cls,
        dialect: Dialect,
        template: str,
        lines: Mapping[int, Piece],
        known: Mapping[str, object],
        links: Sequence[Link] = (),
    ) -> Script:
        """Compile a restored template with the values `known` in it.

        Raises SourceError when a tag was lost or does not fit where it stands.
        """
        check(dialect, template, name="the finished email", first_line=1)
        try:
            tree = folded(dialect, dialect.parse(template), known)
            words = _only_words(tree)
            compiled = dialect.from_string(tree)
        except TemplateSyntaxError as problem:
            piece = lines.get(problem.lineno)
            raise SourceError(f"{place(piece)}: {problem.message}", remedy="Check the tag.") from problem
        pieces = frozenset(_texts(compiled.root_render_func.__code__))
        return cls(compiled, lines, pieces, dialect, links, words)

    @cached_property
    def _own(self) -> list[Link]:
        return [link for link in self.links if link.name]

    @cached_property
    def _eval_ctx(self) -> EvalContext:
        return EvalContext(self.dialect)

    def run(self, names: dict[str, object]) -> list[str]:
        """The part for one reader, in pieces. Raises RenderError naming the line and the tag."""
        if self.always is not None:
            return self.always
        try:
            return self._pieces(names)
        except Exception as problem:  # whatever an operator's template may raise fails this one email, never the run
            raise self._explained(problem) from problem

    def _pieces(self, names: dict[str, object]) -> list[str]:
        stream = self.template.root_render_func(_Reader(self._eval_ctx, names))
        pieces = list(islice(stream, _AT_ONCE))
        while sum(map(len, pieces)) <= LARGEST_PART:
            if len(pieces) % _AT_ONCE:
                return pieces
            more = list(islice(stream, _AT_ONCE))
            if not more:
                return pieces
            pieces += more
        raise OverflowError(f"The email grew over {LARGEST_PART:,} characters.")

    def own_addresses(self, links: Mapping[str, object]) -> list[str]:
        """Where the reader's own links lead, as they stand in this part; empty for those that this reader has not."""
        addresses = []
        for link in self._own:
            address = links[link.name] or ""
            addresses.append(self.dialect.shown(href(address) if address and link.piece.filtered else address))
        return addresses

    def _explained(self, problem: Exception) -> RenderError:
        line = self.template.get_corresponding_lineno(_line(problem.__traceback__))
        return unmade(self.lines.get(line), problem)


def unmade(piece: Piece | None, why: object) -> RenderError:
    """The error that this tag cannot be filled in for a reader."""
    return RenderError(
        f"{place(piece)}: {why}",
        means="This reader's email cannot be made.",
        remedy='Check the name; for what not every reader has, write {{ name or "something else" }}.',
    )


def place(piece: Piece | None) -> str:
    """Where a tag stands and what it says, for a person."""
    if piece is None:
        return "the template"
    code = " ".join(piece.code.split())
    shown = f"{{% {code} %}}" if piece.kind == "statement" else f"{{{{ {code} }}}}"
    return f"{piece.where}, line {piece.line}, {shown}"


def _only_words(tree: nodes.Template) -> list[str] | None:
    """What the template prints where it is nothing but words."""
    outputs = [node for node in tree.body if isinstance(node, nodes.Output)]
    words = [word for output in outputs for word in output.nodes if isinstance(word, nodes.TemplateData)]
    if len(outputs) < len(tree.body) or len(words) < sum(len(output.nodes) for output in outputs):
        return None
    return [word.data for word in words]


def _texts(code: CodeType) -> Iterator[str]:
    """The texts among a function's constants, and among those of the functions inside it."""
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _texts(constant)


def _line(traceback: TracebackType | None) -> int:
    """Where in the compiled template it happened."""
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
