"""A PostgreSQL server of one's own, on a socket in a temporary folder, as any user but root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

PASSWORD = "a s:e/c@ret"


def _program(name: str) -> str:
    """Debian keeps them apart from other programs."""
    found = shutil.which(name) or next((str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if found is None:
        pytest.skip("needs the server of PostgreSQL: apt-get install postgresql")
    return found


class Postgres:
    """A server that is running. Its superuser is `owner`; all users have PASSWORD.

    Attributes:
        folder: of its data and its socket.
    """

    def __init__(self, folder: Path, user: str | None) -> None:
        """`user`: of the system; None: this one."""
        self.folder, self._user = folder, user
        word = folder / "word"
        word.write_text(PASSWORD)
        if user:
            shutil.chown(folder, user)
            shutil.chown(word, user)
        self._run(
            "initdb", "--no-sync", "--username=owner", "--auth=scram-sha-256", f"--pwfile={word}", "--encoding=UTF8"
        )
        self.start()

    def _run(self, name: str, *words: str) -> None:
        command = [_program(name), f"--pgdata={self.folder / 'data'}", *words]
        with open(self.folder / f"{name}.log", "ab") as log:  # not a pipe: the server would hold it open
            done = subprocess.run(command, user=self._user, cwd=self.folder, stdout=log, stderr=log)
        assert done.returncode == 0, (self.folder / f"{name}.log").read_text()

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c log_lock_waits=on -c deadlock_timeout=100ms"
        self._run(
            "pg_ctl", "--wait", "--timeout=300", f"--log={self.folder / 'server.log'}", f"--options={options}", "start"
        )

    def stop(self) -> None:
        """At once, as by a power cut."""
        self._run("pg_ctl", "--wait", "--mode=immediate", "stop")

    def url(self, database: str, user: str = "owner") -> str:
        """Of a database, without the password."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server; the test is skipped where its programs are not installed."""
    _program("initdb")
    user = None
    if os.geteuid() == 0:  # the server refuses to run as root
        users = {entry.pw_name for entry in pwd.getpwall()}
        user = next(name for name in ("postgres", "nobody") if name in users)
    with tempfile.TemporaryDirectory(prefix="jtss-pg.", dir="/tmp") as folder:  # a path of a socket must be short
        server = Postgres(Path(folder), user)
        try:
            yield server
        finally:
            server.stop()
