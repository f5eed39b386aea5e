"""The floor plan of docs/architecture.md as a table, and the source of the house taken apart for its tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "newsletter"

# From the ground up. What stands on one line is one floor: those rooms do not see each other. The plan's floors -1
# and 0 are finer here: settings are made of addresses and errors, claims and pages stand on the database.
FLOORS = (
    {"errors", "logs"},
    {"addresses", "civil", "clock", "lifeline", "tokens", "sealing", "logs", "figures"},
    {"settings"},
    {"database"},
    {"work", "web"},
    {"accounts"},
    {"audience"},
    {"tracking"},
    {"segments", "messages"},
    {"delivery"},
    {"magnets", "sequences", "broadcasts", "bounces"},
    {"signup"},
    {"landing"},
    {"forecast", "dashboard"},
    {"starter"},  # the shipped content: it fills every room of an empty database through their actions
)
# Above all rooms, and one room among themselves: they put the house together.
FRONT_DOORS = {
    "__main__",
    "application",
    "backstage",
    "worker",
    "supervisor",
    "cli",
    "cli_series",
    "cli_drive",
    "doctor",
}

RANKS = {"rules": 0, "models": 1, "queries": 2, "actions": 3, "pages": 4, "admin": 4, "api": 4, "jobs": 4}
FRONTS = {name for name, rank in RANKS.items() if rank == 4}

# Another room is entered by these,
DOORWAYS = {"actions", "queries", "rules"}
# and by what it was built to be entered by; `*` opens a room of tools that holds no secrets of its own.
EXTRA_DOORWAYS = {
    "database": {"base", "engine", "blobs", "migrating"},
    "work": {"claims", "queue", "heartbeats", "watch"},
    "web": {"*"},  # forms, csrf, limits, paging, problem pages: made for every room's pages
    # the back office's gate, its log, how it tells time, and the studio's look in every page
    "accounts": {"gate", "audit", "moments", "presentation"},
    # the one shape of a line of history; the file import, with what it is to do, for the command; what just happened
    # with people, for the rooms above that let it begin something
    "audience": {"history", "importing", "writing", "occasions"},
    "messages": {"*"},  # a library of pure functions: template + reader -> bytes
    "figures": {"*"},  # pure drawing
    # what an upper room answers when the ledger asks for content; and the making of the bytes, because a preview and a
    # proof run are made by the code that sends; how sending is doing, for the overview, the doctor and the metrics
    "delivery": {"health", "letters", "composing", "relay_rows", "days", "overdue"},
    # what a shipped series is, for the starter; civil time and conditions are rules under names of their own; how
    # crowds join, for the command of imports; what the forecast runs triggers and conditions with, and edits as values
    "sequences": {
        "civil",
        "conditions",
        "dates",
        "crowds",
        "differing",
        "drafts",
        "editing",
        "edits",
        "entering",
        "facts",
        "filediff",
        "files",
        "foresight",
        "letters",
        "moving",
        "openings",
        "pauses",
        "previews",
        "resuming",
        "series",
        "stepforms",
        "triggers",
        "versions",
        "wording",
    },
    "signup": {"guards"},  # the honeypot and the time trap, the same for comments
    # the forecast as a table, JSON or a calendar, the test drive of a series, and what an edit means, for the commands
    "forecast": {"formats", "drive", "drive_form", "impact", "comparing"},
    "magnets": {"sheet"},  # what a sheet is, for the starter's own
}
# Pure modules of the ground floor that rules may lean on: a refusal in words, what an address is and what clocks on the
# wall mean are decisions.
PURE = {"errors", "addresses", "civil"}
# Rules under names of their own: held to the same purity, and `rules` may lean on them.
MORE_RULES = {
    "newsletter/sequences/civil.py": "civil time: zones, windows, days",
    "newsletter/sequences/conditions.py": "questions about a reader",
    "newsletter/sequences/course.py": "a sequence, and where a reader stands in it",
    "newsletter/sequences/saying.py": "steps and conditions in words; why somebody left is among them",
    "newsletter/sequences/resuming.py": "how a way goes on after a pause",
    "newsletter/delivery/days.py": "which email of a reader has a day, and what comes too late",
}
# Fronts under a name of their own, and why.
MORE_FRONTS = {
    "newsletter/delivery/overdue_admin.py": "the emails that came too late, apart from the outbox",
    "newsletter/sequences/pauses_admin.py": "pausing and resuming: a series, a person, everything",
    "newsletter/delivery/relays_admin.py": "the mail servers in the back office, apart from the outbox",
    "newsletter/sequences/steps_admin.py": "one step of a series in the back office, apart from the whole",
    "newsletter/forecast/drive_admin.py": "the test drive of a series, which belongs to nobody real",
    "newsletter/forecast/edits_admin.py": "changes of a series, with their effect before they are made",
    "newsletter/forecast/rests_admin.py": "the effect of pauses and of their ends",
    "newsletter/forecast/zone_admin.py": "another zone of the studio, with its effect before it is kept",
    "newsletter/sequences/triggers_admin.py": "how a series begins by itself, apart from its steps",
    "newsletter/signup/leaving.py": "the pages of leaving and preferences, apart from those of coming in",
}
# What the front doors may touch beside every room's fronts.
BEHIND_THE_SCENES = FRONTS | {
    "relays_admin",
    "overdue_admin",
    "pauses_admin",
    "steps_admin",
    "drive_admin",
    "edits_admin",
    "zone_admin",
    "rests_admin",
    "triggers_admin",
    "letters",
    "importing",
    "transports",
    "leaving",
    "coming",
}


@dataclass(frozen=True)
class Import:
    """`module` is what was imported from, `names` what it is called here, `deferred` that it stands in a function."""

    module: tuple[str, ...]
    names: tuple[str, ...]
    line: int
    deferred: bool


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return tree_of(self.path)

    @property
    def shown(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def dotted(self) -> tuple[str, ...]:
        parts = self.path.relative_to(PACKAGE).with_suffix("").parts
        return parts[:-1] if parts[-1] == "__init__" else parts

    @property
    def room(self) -> str:
        return self.dotted[0] if self.dotted else ""

    @property
    def piece(self) -> str:
        """The file's name inside its room; empty for a room of one file."""
        return self.dotted[1] if len(self.dotted) > 1 else ""

    @cached_property
    def imports(self) -> list[Import]:
        return list(_imports(self.tree, deferred=False))

    @property
    def inside(self) -> Iterator[Import]:
        """The imports of the house itself."""
        for found in self.imports:
            if found.module[0] == "newsletter" and len(found.module) > 1:
                yield Import(found.module[1:], found.names, found.line, found.deferred)


def _imports(node: ast.AST, *, deferred: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(tuple(alias.name.split(".")), (alias.asname or alias.name,), child.lineno, deferred)
        elif isinstance(child, ast.ImportFrom):
            yield from _import_from(child, deferred)
        else:
            within = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, deferred=deferred or within)


def _import_from(node: ast.ImportFrom, deferred: bool) -> Iterator[Import]:
    base = tuple((node.module or "").split("."))
    plain = []
    for alias in node.names:
        # `from newsletter.audience import queries` imports a module, not a name.
        if base[0] == "newsletter" and is_module((*base[1:], alias.name)):
            yield Import((*base, alias.name), (alias.asname or alias.name,), node.lineno, deferred)
        else:
            plain.append(alias.asname or alias.name)
    if plain:
        yield Import(base, tuple(plain), node.lineno, deferred)


def is_module(dotted: tuple[str, ...]) -> bool:
    """Whether that is a file or a folder of the package."""
    place = PACKAGE.joinpath(*dotted)
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


@lru_cache(maxsize=1)
def modules() -> tuple[Module, ...]:
    """Every file of the package, but for what Alembic wrote and runs."""
    return tuple(Module(path) for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts)


def own_code() -> list[Path]:
    """Every Python file of the repository that a person wrote."""
    folders = [ROOT / name for name in ("newsletter", "tests", "bench", "scripts")]
    files = [path for folder in folders if folder.is_dir() for path in folder.rglob("*.py")]
    return sorted([ROOT / "app.py", *(path for path in files if "versions" not in path.parts)])


@cache
def tree_of(path: Path) -> ast.Module:
    """A file taken apart, once for all tests."""
    return ast.parse(path.read_text(), str(path))


def listed(found: Iterator[str]) -> None:
    """Fail with every place in one go."""
    places = sorted(set(found))
    assert not places, "\n" + "\n".join(places)


def floor_of(room: str) -> int:
    """The floor a room is on, counted from the ground; raises KeyError for a room that the plan does not know."""
    if room in FRONT_DOORS:
        return len(FLOORS)
    for floor, rooms in enumerate(FLOORS):
        if room in rooms:
            return floor
    raise KeyError(room)


def annotation_names(tree: ast.Module) -> set[int]:
    """The ids of all nodes that stand in an annotation, where a name is only a word for a type."""
    roots: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
            roots.append(node.returns)
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            roots.append(node.annotation)
    roots += [alias for alias in tree.body if isinstance(alias, ast.Assign) and _is_alias(alias)]
    return {id(inner) for root in roots for inner in ast.walk(root)}


def _is_alias(node: ast.Assign) -> bool:
    """`Writer = Callable[[Session, Delivery], Letter]` names a type."""
    value = node.value
    return isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name) and value.value.id == "Callable"
