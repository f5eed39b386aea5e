"""The house rules of docs/architecture.md, asked of the source itself; each test lists every place that breaks one."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.house import (
    BEHIND_THE_SCENES,
    DOORWAYS,
    EXTRA_DOORWAYS,
    FRONT_DOORS,
    FRONTS,
    MORE_FRONTS,
    MORE_RULES,
    PURE,
    RANKS,
    ROOT,
    Import,
    Module,
    annotation_names,
    floor_of,
    listed,
    modules,
    own_code,
    tree_of,
)

LONGEST_MODULE, LONGEST_FUNCTION = 400, 60

# Query modules beside queries.py: only reads, and so allowed to join a lower room's models.
MORE_QUERIES = {
    "newsletter/delivery/ledger.py": "the ledger as an operator reads it; queries.py is what other rooms and jobs ask",
    "newsletter/delivery/health.py": "how sending is doing, for who looks after it",
    "newsletter/sequences/reach.py": "how far a series reached, and readers to look as, for its editor",
    "newsletter/delivery/overdue.py": "what is held because it is late, for the operator who decides",
    "newsletter/delivery/timeline.py": "one email's story, with the clicks in it",
    "newsletter/sequences/versions.py": "what a series has been, whom an edit moves and what was sent because of it",
    "newsletter/forecast/reading.py": "what the forecast knows of each reader before it runs",
    "newsletter/forecast/records.py": "what the calendar reads of the rooms below; queries.py is the forecast",
}
# Who opens a transaction without being a front, and why.
MORE_TRANSACTIONS = {
    "newsletter/database/engine.py": "defines it",
    "newsletter/delivery/sending.py": "the inside of the sending job: a transaction before and after the network",
    "newsletter/delivery/collision.py": "the same: what goes on another day is written before the network",
    "newsletter/delivery/counting.py": "links get their numbers before the emails that hold them leave",
    "newsletter/delivery/pictures.py": "stored before the emails that link them leave",
    "newsletter/forecast/looking.py": "the inside of looking ahead: works outside a transaction, then writes a slice",
    "newsletter/delivery/transports.py": "the built-in mailbox stands where the network is, outside any transaction",
}
# Rules may not read the clock, the network, the disk or chance, so these of the standard library are not theirs.
IMPURE = {
    "time",
    "random",
    "secrets",
    "os",
    "socket",
    "subprocess",
    "sqlite3",
    "http",
    "smtplib",
    "pathlib",
    "threading",
}
# Modules whose job is to reach the clock or be reached: the only reader of the time.
CLOCKS = {"newsletter/clock.py"}
READS_TIME = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"),
    ("time", "time_ns"), ("time", "localtime"), ("time", "gmtime"), ("func", "now"), ("func", "current_timestamp"),
}  # fmt: skip
TASTELESS = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common_utils"}


def test_the_plan_knows_every_room() -> None:
    for module in modules():
        if module.room:
            floor_of(module.room)


def test_the_front_of_the_package_imports_nothing() -> None:
    assert [
        node for node in ast.walk(ast.parse((ROOT / "newsletter/__init__.py").read_text())) if _is_import(node)
    ] == []


def test_imports_point_only_down_and_rooms_on_one_floor_do_not_see_each_other() -> None:
    listed(_upward())


def _upward() -> Iterator[str]:
    for module in modules():
        for found in module.inside:
            room = found.module[0]
            if room == module.room or {room, module.room} <= FRONT_DOORS:
                continue
            if floor_of(room) >= floor_of(module.room):
                yield f"{module.shown}:{found.line}: {module.room} is not above {room}"


def test_another_room_is_entered_by_its_doorways() -> None:
    listed(_through_the_wall())


def _through_the_wall() -> Iterator[str]:
    for module in modules():
        for found in module.inside:
            room, piece = found.module[0], found.module[1] if len(found.module) > 1 else ""
            if room == module.room or not piece or piece == "models":
                continue
            open_here = DOORWAYS | EXTRA_DOORWAYS.get(room, set())
            if module.room in FRONT_DOORS:
                open_here |= BEHIND_THE_SCENES
            if piece not in open_here and "*" not in open_here:
                yield f"{module.shown}:{found.line}: enters {room} by {piece}"


def test_only_queries_join_another_rooms_models() -> None:
    """Naming a row's type in an annotation is free; selecting, joining or making rows of another room is not."""
    listed(_foreign_models())


def _foreign_models() -> Iterator[str]:
    for module in modules():
        foreign = [
            found for found in module.inside if found.module[1:] == ("models",) and found.module[0] != module.room
        ]
        if not foreign or module.piece == "queries" or module.shown in MORE_QUERIES:
            continue
        types = annotation_names(module.tree)
        names = {name: found for found in foreign for name in found.names}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name) and node.id in names and id(node) not in types:
                yield f"{module.shown}:{node.lineno}: uses {node.id} of {'.'.join(names[node.id].module)}"


def test_the_furniture_of_a_room_stands_in_order() -> None:
    """models -> queries -> actions -> {pages, admin, api, jobs}; rules may be used by all."""
    listed(_out_of_order())


def _out_of_order() -> Iterator[str]:
    by_name = {module.dotted: module for module in modules()}
    for module in modules():
        if module.piece not in RANKS:
            continue
        for found, other in _same_room(module, by_name):
            rank, mine = _rank(other, by_name, ()), RANKS[module.piece]
            if rank > mine or (rank == mine == RANKS["pages"] and other.piece in FRONTS):
                yield f"{module.shown}:{found.line}: {module.piece} stands before {other.piece}"


def _same_room(module: Module, by_name: dict[tuple[str, ...], Module]) -> Iterator[tuple[Import, Module]]:
    for found in module.inside:
        other = by_name.get(found.module)
        if other is not None and other is not module and other.room == module.room:
            yield found, other


def _rank(module: Module, by_name: dict[tuple[str, ...], Module], seen: tuple[Module, ...]) -> int:
    """A piece of furniture's place; a file beside it stands where the highest of what it leans on stands."""
    if module.piece in RANKS:
        return RANKS[module.piece]
    assert module not in seen, f"{module.shown} leans on itself"
    others = [other for _, other in _same_room(module, by_name)]
    return max((_rank(other, by_name, (*seen, module)) for other in others), default=0)


def test_rules_are_pure() -> None:
    """They import rules and the standard library, less what reads the clock, the network, the disk or chance."""
    listed(_impure())


def _impure() -> Iterator[str]:
    for module in modules():
        if module.piece != "rules" and module.shown not in MORE_RULES:
            continue
        for found in module.imports:
            rules = found.module[-1] == "rules" or f"{'/'.join(found.module)}.py" in MORE_RULES
            ours = found.module[0] == "newsletter" and (rules or found.module[1] in PURE)
            pure = found.module[0] in sys.stdlib_module_names and found.module[0] not in IMPURE
            if not (ours or pure):
                yield f"{module.shown}:{found.line}: rules import {'.'.join(found.module)}"


def test_no_deferred_imports() -> None:
    listed(
        f"{m.shown}:{found.line}: {'.'.join(found.module)}" for m in modules() for found in m.imports if found.deferred
    )


def test_only_fronts_open_a_transaction_and_only_the_transaction_commits() -> None:
    listed(_writers())


def _writers() -> Iterator[str]:
    for module in modules():
        front = module.piece in FRONTS or module.room in FRONT_DOORS or module.shown in MORE_FRONTS | MORE_TRANSACTIONS
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name.rpartition(".")[2] == "transaction" and not front:
                yield f"{module.shown}:{node.lineno}: opens a transaction"
            if name.endswith(".commit") and module.shown != "newsletter/database/engine.py":
                yield f"{module.shown}:{node.lineno}: commits"


def test_the_clock_is_the_only_reader_of_the_time() -> None:
    listed(_readers_of_time())


def _readers_of_time() -> Iterator[str]:
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and module.shown not in CLOCKS:
                owner = ast.unparse(node.value).rpartition(".")[2]
                if (owner, node.attr) in READS_TIME:
                    yield f"{module.shown}:{node.lineno}: {owner}.{node.attr}"


def test_the_clock_is_not_read_where_decisions_are_made() -> None:
    """Rules and actions get `now` as an argument, so that the worker and the forecast may ask for another moment."""
    listed(
        f"{module.shown}:{found.line}: {module.piece} imports the clock"
        for module in modules()
        if module.piece in {"rules", "models", "actions"}
        for found in module.inside
        if found.module[0] == "clock"
    )


def test_modules_and_functions_fit_on_a_few_screens() -> None:
    listed(_too_long())


def _too_long() -> Iterator[str]:
    for path in own_code():
        text, shown = path.read_text(), path.relative_to(ROOT)
        if (lines := text.count("\n")) > LONGEST_MODULE:
            yield f"{shown}: {lines} lines"
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    yield f"{shown}:{node.lineno}: {node.name} has {length} lines"


def test_sqlalchemy_in_its_second_style_only() -> None:
    listed(_first_style())


def _first_style() -> Iterator[str]:
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Column":
                yield f"{module.shown}:{node.lineno}: Column("
            if isinstance(node, ast.Attribute) and node.attr == "query" and "session" in ast.unparse(node.value):
                yield f"{module.shown}:{node.lineno}: session.query"


def test_names_say_what_a_thing_does() -> None:
    listed(_tasteless())


def _tasteless() -> Iterator[str]:
    for path in own_code():
        shown = path.relative_to(ROOT)
        if set(shown.with_suffix("").parts) & TASTELESS:
            yield f"{shown}: the file's name"
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                name = node.name.lower()
                if any(
                    name == bad or name.endswith((f"_{bad}", bad)) for bad in ("manager", "helper", "helpers", "utils")
                ):
                    yield f"{shown}:{node.lineno}: {node.name}"


def test_public_things_have_a_sentence_of_purpose() -> None:
    listed(_silent())


def _silent() -> Iterator[str]:
    for module in modules():
        if not ast.get_docstring(module.tree):
            yield f"{module.shown}: the module"
        for node in module.tree.body:
            public = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                yield f"{module.shown}:{node.lineno}: {node.name}"


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


@pytest.mark.parametrize(
    ("above", "below"),
    [("landing", "delivery"), ("signup", "magnets"), ("delivery", "audience"), ("audience", "settings")],
)
def test_the_table_is_the_plan(above: str, below: str) -> None:
    assert floor_of(above) > floor_of(below)
