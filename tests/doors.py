"""Every door of the application, and knocking at one as a stranger does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any, ParamSpec, TypeVar

from flask import Flask
from werkzeug.routing import AnyConverter, BaseConverter, IntegerConverter, Rule

Given = ParamSpec("Given")
Result = TypeVar("Result")


def apart(call: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """Call it outside the test's own application context, as a server does: nothing of an earlier request is left."""
    return Context().run(call, *args, **kwargs)


def addresses(app: Flask, prefix: str = "/") -> Iterator[tuple[str, str]]:
    """(method, path) of every route below `prefix`, with something in the place of each variable part."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(prefix) and rule.endpoint != "static":
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, _path(rule)


def _path(rule: Rule) -> str:
    values = {name: _value(rule._converters[name]) for name in rule.arguments}
    built = rule.build(values)
    assert built is not None
    return built[1]


def _value(converter: BaseConverter) -> Any:
    if isinstance(converter, AnyConverter):
        return min(converter.items)
    return 1 if isinstance(converter, IntegerConverter) else "x"
