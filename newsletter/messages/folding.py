"""Takes out of a template what is decided before any reader is known: the studio, and whether it is marketing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from jinja2 import nodes
from jinja2.nodes import EvalContext
from jinja2.visitor import NodeTransformer

from newsletter.messages.dialect import Dialect

_SIMPLE = (str, bool, int)


def folded(dialect: Dialect, tree: nodes.Template, standing: Mapping[str, object]) -> nodes.Template:
    """The tree with the values of `standing` in it, without the branches that nobody can get, and fewer pieces."""
    _Folding(dialect, standing).visit(tree)
    tree.body = _joined(tree.body)
    forks: list[nodes.If | nodes.For] = [*tree.find_all(nodes.If), *tree.find_all(nodes.For)]
    for node in forks:
        node.body, node.else_ = _joined(node.body), _joined(node.else_)
    tree.set_environment(dialect)
    return tree


class _Folding(NodeTransformer):
    def __init__(self, dialect: Dialect, standing: Mapping[str, object]) -> None:
        self.standing, self.context = standing, EvalContext(dialect)

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802  # Jinja2 finds it by the node's name
        return _constant(node, self.standing.get(node.name)) if node.ctx == "load" else node

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802
        if isinstance(node.node, nodes.Name) and node.node.name in self.standing:
            return _constant(node, getattr(self.standing[node.node.name], node.attr, None))
        return self.generic_visit(node)

    def visit_If(self, node: nodes.If) -> nodes.Node | list[nodes.Node]:  # noqa: N802
        branches, node.elif_ = [node, *node.elif_], []
        for branch in branches:
            self.generic_visit(branch)
        open_still: list[nodes.If] = []
        otherwise = node.else_
        for branch in branches:
            known = self._known(branch.test)
            if known:
                otherwise = branch.body
                break
            if known is None:
                open_still.append(branch)
        if not open_still:
            return otherwise
        first, *more = open_still
        return nodes.If(first.test, first.body, more, otherwise, lineno=first.lineno)

    def _known(self, test: nodes.Node) -> bool | None:
        try:
            return bool(cast(nodes.Expr, test).as_const(self.context))
        except Exception:  # what cannot be decided now is decided, or fails, for each reader
            return None


def _constant(node: nodes.Expr, value: object) -> nodes.Expr:
    return nodes.Const(value, lineno=node.lineno) if isinstance(value, _SIMPLE) else node


def _joined(body: list[nodes.Node]) -> list[nodes.Node]:
    """The body with neighbouring outputs made one, so that their words come out as one piece."""
    joined: list[nodes.Node] = []
    for node in body:
        if joined and isinstance(node, nodes.Output) and isinstance(joined[-1], nodes.Output):
            joined[-1].nodes.extend(node.nodes)
        else:
            joined.append(node)
    return joined
