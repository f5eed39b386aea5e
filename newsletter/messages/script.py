"""One part of a message (subject, preheader, HTML or text) as a compiled template that can say where it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from jinja2 import Template, TemplateSyntaxError

from newsletter.errors import RenderError, SourceError
from newsletter.messages.dialect import Dialect, check
from newsletter.messages.sentinels import Piece

LARGEST_PART = 400_000  # characters; four times what Gmail shows before it clips, so only a runaway reaches it


@dataclass(frozen=True)
class Script:
    """A compiled template and which operator's tag each of its lines came from."""

    template: Template
    lines: Mapping[int, Piece]

    @classmethod
    def compile(cls, dialect: Dialect, template: str, lines: Mapping[int, Piece]) -> Script:
        """Compile a restored template. Raises SourceError when a tag was lost or does not fit where it stands."""
        check(dialect, template, name="the finished email", first_line=1)
        try:
            return cls(dialect.from_string(template), lines)
        except TemplateSyntaxError as problem:
            piece = lines.get(problem.lineno)
            raise SourceError(f"{place(piece)}: {problem.message}", remedy="Check the tag.") from problem

    def run(self, context: Mapping[str, object]) -> str:
        """The part for one reader. Raises RenderError naming the line and the tag."""
        parts: list[str] = []
        size = 0
        try:
            for part in self.template.generate(context):
                size += len(part)
                if size > LARGEST_PART:
                    raise OverflowError(f"The email grew over {LARGEST_PART:,} characters.")
                parts.append(part)
        except Exception as problem:  # whatever an operator's template may raise fails this one email, never the run
            raise self._explained(problem) from problem
        return "".join(parts)

    def _explained(self, problem: Exception) -> RenderError:
        piece = self.lines.get(_line(problem.__traceback__))
        return RenderError(
            f"{place(piece)}: {problem}",
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


def _line(traceback: TracebackType | None) -> int:
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
