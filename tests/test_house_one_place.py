"""What the house does in one place only: setting a delivery's state, and asking which database it talks to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house import Module, listed, modules

# Who sets a delivery's state, to what ("*": anything), and why.
SETS_STATES = {
    "newsletter/delivery/machine.py": ("*", "the machine: every arrow, and the tallies with it"),
    "newsletter/delivery/actions.py": ("PLANNED", "plans: what is new begins there, and the machine notes it"),
}
# Who asks which database it is, beside the one fork, and why.
ASKS_WHICH_DATABASE = {
    "newsletter/work/claims.py": "the fork: every statement that has to differ",
    "newsletter/settings.py": "reads what DATABASE_URL and QUEUE_URL may be, before there is anything to ask",
    "newsletter/database/engine.py": "opens it: SQLite's pragmas and its locks, PostgreSQL's timeouts",
    "newsletter/work/queue.py": "Huey has a class for each store; QUEUE_URL may name another than the ledger's",
    "newsletter/doctor.py": "looks at what only one has: a file on a disk, a clock and settings of a server",
}
RAW = re.compile(r"\b(UPDATE|INSERT\s+(OR\s+\w+\s+)?INTO|REPLACE\s+INTO)\s+deliveries\b", re.IGNORECASE)
DATABASE = re.compile(r"(sqlite|postgres)", re.IGNORECASE)
# Asked of an engine, a URL or a session, these answer with the name of a database.
TELLS = {"get_backend_name", "get_dialect", "drivername"}
DRIVERS = {("sqlalchemy", "dialects"), ("sqlite3",), ("psycopg", "sql")}


def test_2_2_only_the_machine_sets_a_deliverys_state() -> None:
    listed(
        f"{module.shown}:{line}: sets a delivery's state: {what}"
        for module in modules()
        if _knows_the_ledger(module)
        for line, what in states_set(module.tree)
        if not _may(module, what)
    )


def _may(module: Module, what: str) -> bool:
    allowed, _ = SETS_STATES.get(module.shown, ("", ""))
    return allowed == "*" or bool(allowed and re.search(rf"\bState\.{allowed}\b", what))


def _knows_the_ledger(module: Module) -> bool:
    return module.room == "delivery" or any(found.module[:1] == ("delivery",) for found in module.inside)


def states_set(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where, and to what, rows of the ledger get a state: a field is set, a statement has values, a row is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            yield from _assigned(node)
        elif isinstance(node, ast.Call):
            yield from _called(node)
        elif isinstance(node, ast.Dict):
            yield from ((node.lineno, what) for key, what in _entries(node) if _is_state(key) and "State." in what)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and RAW.search(node.value):
            yield node.lineno, "SQL of its own"


def _assigned(node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> Iterator[tuple[int, str]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    what = ast.unparse(node.value) if node.value else ""
    for target in targets:
        if isinstance(target, ast.Attribute) and target.attr == "state" and not _of_another_table(what):
            yield node.lineno, what


def _called(node: ast.Call) -> Iterator[tuple[int, str]]:
    called = ast.unparse(node.func)
    name = called.rpartition(".")[2]
    if name == "setattr" and len(node.args) == 3 and _is_state(node.args[1]):
        yield node.lineno, ast.unparse(node.args[2])
    given = [one.value for one in node.keywords if one.arg == "values"]  # of `claim`
    if name in {"values", "Delivery"} and not re.match(r"(update|insert)\((?!(\w+\.)*Delivery\))", called):
        given += node.args
        named = [(one.arg, ast.unparse(one.value)) for one in node.keywords]
        yield from ((node.lineno, what) for key, what in named if key == "state" and not _of_another_table(what))
    for one in given:
        entries = _entries(one) if isinstance(one, ast.Dict) else iter(())
        yield from ((node.lineno, what) for key, what in entries if _is_state(key) and not _of_another_table(what))


def _entries(node: ast.Dict) -> Iterator[tuple[ast.expr | None, str]]:
    return ((key, ast.unparse(value)) for key, value in zip(node.keys, node.values, strict=True))


def _is_state(key: ast.expr | None) -> bool:
    return (isinstance(key, ast.Constant) and key.value == "state") or (
        isinstance(key, ast.Attribute) and key.attr == "state"
    )


def _of_another_table(what: str) -> bool:
    """`EnrollmentState.ACTIVE`, `SequenceMove.state`: not the ledger's."""
    return re.match(r"(\w+State\.|\w+\.state$)", what) is not None and not what.startswith("State.")


@pytest.mark.parametrize(
    "planted",
    [
        "row.state = State.ACCEPTED",
        "row.state = to",
        "session.get_one(Delivery, 1).state = rules.State.PLANNED.value",
        "update(Delivery).where(Delivery.id == 1).values(state=State.CANCELED)",
        "update(Delivery).values({'state': to, 'state_why': why})",
        "statement.values({Delivery.state: State.PLANNED})",
        "insert(models.Delivery).values(state=to)",
        "rows = [{'reason': why, 'state': State.PLANNED.value}]",
        "claim(session, Delivery, Delivery.id, values={'state': to})",
        "session.add(Delivery(reason='tale:1', state=State.PLANNED))",
        "setattr(row, 'state', State.SENDING)",
        "session.execute(text('update deliveries set state = :to'))",
    ],
)
def test_2_2_a_state_set_elsewhere_is_found(planted: str) -> None:
    assert list(states_set(ast.parse(planted)))


@pytest.mark.parametrize(
    "harmless",
    [
        "row.state = EnrollmentState.ACTIVE",
        "update(Broadcast).values(state=BroadcastState.DONE)",
        "update(Broadcast).where(Broadcast.id == 1).values(state=to)",
        "select(Delivery.id).where(Delivery.state == State.PLANNED)",
        "update(Delivery).values(due_at=now, state_why='')",
        "shown = {'id': row.id, 'state': row.state}",
        "text('SELECT count(*) FROM deliveries')",
    ],
)
def test_what_only_reads_a_state_is_let_be(harmless: str) -> None:
    assert not list(states_set(ast.parse(harmless)))


def test_planning_may_only_plan() -> None:
    (actions,) = [module for module in modules() if module.shown == "newsletter/delivery/actions.py"]
    assert _may(actions, "State.PLANNED.value")
    assert not _may(actions, "State.ACCEPTED")
    assert not _may(actions, "to")


def test_only_the_fork_asks_which_database_it_is() -> None:
    listed(
        f"{module.shown}:{line}: asks which database it is: {what}"
        for module in modules()
        if module.shown not in ASKS_WHICH_DATABASE
        for line, what in databases_asked(module.tree)
    )


def databases_asked(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a decision hangs on the kind of database: its name is read, compared with, looked up or imported."""
    for node in ast.walk(tree):
        if _names_one(node):
            yield getattr(node, "lineno", 0), ast.unparse(node)


def _names_one(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in TELLS or (node.attr == "name" and ast.unparse(node.value).endswith("dialect"))
    if isinstance(node, ast.Compare):
        return any(_is_name(one) for side in (node.left, *node.comparators) for one in _members(side))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
        return any(_is_name(one) for given in node.args for one in _members(given))
    if isinstance(node, ast.MatchValue):
        return _is_name(node.value)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict):
        return any(key is not None and _is_name(key) for key in node.value.keys)
    return _imports_a_driver(node)


def _imports_a_driver(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        named = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        named = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return False
    return any(tuple(name.split("."))[: len(driver)] == driver for name in named for driver in DRIVERS)


def _members(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple | ast.Set | ast.List) else [node]


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(DATABASE.match(node.value))


@pytest.mark.parametrize(
    "planted",
    [
        "if kind_of(session) == 'postgresql': pass",
        "if current().database_url.startswith('sqlite'): pass",
        "if url.startswith(('sqlite:///', 'sqlite+')): pass",
        "if make_url(url).get_backend_name() in ALLOWED: pass",
        "quick = db.engine.dialect.name in {'sqlite'}",
        "name = session.get_bind().dialect.name",
        "match kind:\n    case 'postgresql': pass",
        "work = {'sqlite': a, 'postgresql': b}[kind]",
        "from sqlalchemy.dialects.postgresql import insert",
        "import sqlite3",
    ],
)
def test_a_second_fork_is_found(planted: str) -> None:
    assert list(databases_asked(ast.parse(planted)))


@pytest.mark.parametrize(
    "harmless",
    [
        "kind = kind_of(session); statement = among_given(kind, Delivery.id)",
        "Index('ix', 'a', sqlite_where=rows, postgresql_where=rows)",
        "said = 'SQLite or PostgreSQL'",
        "write = column.type.dialect_impl(session.get_bind().dialect)",
        "dialect.check(text, name='the email')",
    ],
)
def test_what_is_the_same_on_both_is_let_be(harmless: str) -> None:
    assert not list(databases_asked(ast.parse(harmless)))


@pytest.mark.parametrize("table", [SETS_STATES, ASKS_WHICH_DATABASE])
def test_an_exception_that_is_none_any_more_goes(table: dict[str, object]) -> None:
    found = states_set if table is SETS_STATES else databases_asked
    by_name = {module.shown: module for module in modules()}
    assert [name for name in table if not list(found(by_name[name].tree))] == []
