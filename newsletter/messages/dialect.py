"""The Jinja2 an operator may write: a sandbox, strict about names, and too small for a template to run away in."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import escape

from newsletter.errors import SourceError

LONGEST_RANGE = 100
MOST_NAMES = 50  # in one tag: a list of a name ten thousand times over is that many times its text
FINEST = 10  # decimal places that a number may be rounded to: more are a power of ten that never ends
DEEPEST_LOOPS = 2  # 100 x 100 rounds take some milliseconds; a third level would take a second for every reader
# Filled in before a template runs, or beside it, so no template may rebind them.
STANDING_NAMES = frozenset({"studio", "marketing", "part", "links"})

# Control characters could forge lines in the text part; direction marks could turn a sentence around a name.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9%/:?#@!$&'()*+,;=~._-]+")  # what `href` would leave as it is
_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_METHODS = frozenset({"items", "keys", "values", "get", "upper", "lower", "title", "capitalize", "strip", "startswith"})
_NODES: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign,
    nodes.Name, nodes.Const, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr,
    nodes.Filter, nodes.Test, nodes.Call, nodes.Getitem, nodes.Getattr, nodes.Slice, nodes.Concat, nodes.Compare,
    nodes.Operand, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Add, nodes.Sub, nodes.Mod, nodes.Neg, nodes.Pos,
    nodes.Not, nodes.And, nodes.Or,
)  # fmt: skip
_BUILDING = (nodes.List, nodes.Tuple, nodes.Dict, nodes.Concat, nodes.Add)  # what makes something longer of its parts
_FILTERS = (
    "default", "d", "e", "escape", "upper", "lower", "title", "capitalize", "trim", "first", "last", "length", "count",
    "round", "int", "float", "abs", "sum", "min", "max", "sort", "unique", "list", "truncate", "urlencode", "wordcount",
)  # fmt: skip


class Missing(StrictUndefined):
    """A name that is not there: any use of it is an error that says which name, and which one may have been meant."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        wanted, owner = str(self._undefined_name), self._undefined_obj
        near = difflib.get_close_matches(wanted, _names_in(owner), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"There is no {wanted!r} for this reader.{hint}"


class Absent(Missing):
    """A custom field that this reader does not have: it may be asked for and replaced, but not printed as it is."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]  # asking is no error here, unlike in its parent
        return False


class Fields(dict[str, object]):
    """A reader's custom fields. Not every reader has every field, so `{{ fields.city or "your town" }}` is right."""


class Printing(CodeGenerator):
    """Writes templates that print by one call of ours instead of a call of `printable` inside one of `escape`."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:  # noqa: ARG002
        # As many brackets as the parent closes after it.
        self.write("environment.shown(" + "(" * (finalize.src is not None))


class Dialect(ImmutableSandboxedEnvironment):
    """The sandbox: mappings answer by their keys first, arithmetic is for numbers, ranges are short."""

    intercepted_binops = frozenset({"*", "%"})
    code_generator_class = Printing

    def __init__(self, *, escape: bool) -> None:
        super().__init__(autoescape=escape, undefined=Missing, finalize=printable, keep_trailing_newline=True)
        self.shown = in_markup if escape else _in_text
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.filters |= {"round": _round, "join": _join, "_href": href, "_url_part": url_part}
        self.globals = {"range": _range}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of a mapping, or an attribute of anything else, as the sandbox allows."""
        # The type first: asking an abstract class takes five times as long.
        if (type(obj) is dict or isinstance(obj, Mapping)) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, Fields) and attribute not in _METHODS:
            return Absent(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """What stands under a key or a number."""
        if isinstance(obj, Fields) and argument not in obj:
            return Absent(obj=obj, name=argument)
        return super().getitem(obj, argument)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic. Raises SecurityError for texts, which could be multiplied to fill the memory."""
        if not all(isinstance(side, int | float) for side in (left, right)):
            raise SecurityError(f"{operator} works on numbers only.")
        return super().call_binop(context, operator, left, right)


def check(dialect: Dialect, template: str, *, name: str, first_line: int) -> None:
    """Refuse what the dialect does not have. Raises SourceError naming the line in the file."""
    try:
        tree = dialect.parse(template)
        _check_loops(tree, 0)
        _check_names(tree)
        for node in tree.find_all(nodes.Node):
            _check_node(node)
    except TemplateSyntaxError as problem:
        line = first_line + (problem.lineno or 1) - 1
        raise SourceError(
            f"{name}, line {line}: the template cannot be understood: {problem.message}",
            remedy="Look for an unclosed {{ or {%, a missing {% endif %} or {% endfor %}, or a mistyped filter.",
        ) from problem
    except ValueError as problem:  # a number of five thousand digits
        raise SourceError(f"{name}: the template cannot be read: {problem}", remedy="Look for it.") from problem
    except RecursionError as problem:
        raise SourceError(f"{name}: the template is nested too deeply.", remedy="Simplify it.") from problem


def _check_node(node: nodes.Node) -> None:
    if not isinstance(node, _NODES):
        raise TemplateSyntaxError(f"{type(node).__name__.lower()} is not available in emails.", node.lineno)
    if isinstance(node, nodes.Filter) and node.name not in {*_FILTERS, "join", "_href", "_url_part"}:
        raise TemplateSyntaxError(f"the filter {node.name!r} is not available in emails.", node.lineno)
    if isinstance(node, nodes.Call) and not _may_call(node.node):
        raise TemplateSyntaxError("this cannot be called in emails.", node.lineno)
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        raise TemplateSyntaxError(f"{node.attr!r} is private.", node.lineno)
    if isinstance(node, _BUILDING) and len(_all_names(node)) > MOST_NAMES:
        raise TemplateSyntaxError(f"more than {MOST_NAMES} names are put together here.", node.lineno)
    if isinstance(node, nodes.Name) and node.name in {"self", "super", "caller"}:
        raise TemplateSyntaxError(f"{node.name!r} is not available in emails.", node.lineno)


def _may_call(target: nodes.Node) -> bool:
    if isinstance(target, nodes.Getattr):
        return target.attr in _METHODS
    return isinstance(target, nodes.Name) and target.name == "range"


def _check_loops(node: nodes.Node, depth: int) -> None:
    for child in node.iter_child_nodes():
        inner = depth + isinstance(child, nodes.For)
        if inner > DEEPEST_LOOPS:
            raise TemplateSyntaxError(f"loops are nested more than {DEEPEST_LOOPS} deep.", child.lineno)
        if isinstance(child, nodes.For) and child.recursive:
            raise TemplateSyntaxError("recursive loops are not available in emails.", child.lineno)
        _check_loops(child, inner)


def _check_names(tree: nodes.Template) -> None:
    """A set name may not be built from another: `x ~ x` forty times over would be a terabyte."""
    stored = [name for name in tree.find_all(nodes.Name) if name.ctx == "store"]
    for name in stored:
        if name.name in STANDING_NAMES:
            raise TemplateSyntaxError(f"{name.name!r} cannot be changed.", name.lineno)
    assigns = list(tree.find_all(nodes.Assign))
    made = {name.name for assign in assigns for name in _all_names(assign.target)}
    for assign in assigns:
        if any(name.name in made for name in _all_names(assign.node)):
            raise TemplateSyntaxError("a {% set %} cannot use a name made by {% set %}.", assign.lineno)
    loops = list(tree.find_all(nodes.For))
    made |= {name.name for loop in loops for name in _all_names(loop.target)}
    for source in (*(assign.node for assign in assigns), *(loop.iter for loop in loops)):
        builds = isinstance(source, _BUILDING) or next(source.find_all(_BUILDING), None) is not None
        if builds and any(name.name in made for name in _all_names(source)):
            raise TemplateSyntaxError("a list or text cannot be built from names made in the template.", source.lineno)


def _all_names(node: nodes.Node) -> list[nodes.Name]:
    return [*([node] if isinstance(node, nodes.Name) else []), *node.find_all(nodes.Name)]


def names_read(dialect: Dialect, expression: str) -> set[str]:
    """The top-level names an expression reads."""
    tree = dialect.parse("{{ " + expression + " }}")
    return {name.name for name in tree.find_all(nodes.Name)}


def printable(value: object) -> object:
    """What is printed for a value: nothing for None, and texts on one line without invisible signs."""
    if value is None:
        return ""
    if isinstance(value, str) and not value.isprintable() and _UNPRINTABLE.search(value):
        return type(value)(_UNPRINTABLE.sub(" ", value))
    return value


def _in_text(value: object) -> str:
    """A value as it stands in plain words."""
    if type(value) is str and value.isprintable():
        return value
    return str(printable(value))


def in_markup(value: object) -> str:
    """A value as it stands in HTML; `escape` makes an object for each text, so those that need nothing go without."""
    if type(value) is str and value.isprintable() and in_itself(value):
        return value
    return str(escape(printable(value)))


def in_itself(text: str) -> bool:
    """Whether a text stands in HTML as it is."""
    return not ("&" in text or "<" in text or ">" in text or '"' in text or "'" in text)


def href(value: object) -> str:
    """A whole address for a link. Raises ValueError when there is none or a browser might run it as a program."""
    if type(value) is str and _is_plain_address(value):
        return value
    text = str(printable(value)).strip()
    if not text:
        raise ValueError("The link has no address for this reader.")
    if urlsplit(text).scheme.lower() not in _SCHEMES:
        raise ValueError("The link's address does not begin with https://, http://, mailto: or tel:.")
    return quote(text, safe="%/:?#[]@!$&'()*+,;=~-._")


@lru_cache(maxsize=256)  # an email says an address once in each of its parts
def _is_plain_address(text: str) -> bool:
    return _WEB_ADDRESS.fullmatch(text) is not None


def url_part(value: object) -> str:
    """A value inside an address, percent-encoded so that it can only be a value (RFC 3986, section 2.1)."""
    return quote(str(printable(value)), safe="")


def _range(*args: int) -> range:
    numbers = range(*args)
    if len(numbers) > LONGEST_RANGE:
        raise SecurityError(f"A range may have at most {LONGEST_RANGE} numbers.")
    return numbers


def _round(value: float, precision: int = 0, method: str = "common") -> float:
    if abs(precision) > FINEST:
        raise SecurityError(f"A number is rounded to at most {FINEST} places.")
    rounded: float = FILTERS["round"](value, precision, method)
    return rounded


def _join(items: Iterable[object], between: str = "") -> str:
    if isinstance(items, str) or len(between) > 20:
        raise SecurityError("join puts a list together, with at most 20 signs between.")
    return between.join(str(printable(item)) for item in items)


def _names_in(owner: object) -> list[str]:
    if isinstance(owner, Mapping):
        return [str(key) for key in owner]
    return [name for name in getattr(owner, "__dataclass_fields__", {}) if not name.startswith("_")]
