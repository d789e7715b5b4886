"""The server of a study in a process of its own, which can be killed and started again.

``python -m otoscope.game.simulate_server FOLDER PORT SPEED [DATABASE]`` serves until it is told to stop, or until
its standard input is closed: it does not outlive the process that started it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from otoscope.errors import SpecError

if TYPE_CHECKING:
    from otoscope.game.serve import Addresses

__all__ = ["ServerProcess", "main"]

_STOP_S = 20


class ServerProcess:
    """A running server.

    Parameters
    ----------
    folder : Path
        Of the study.
    speed : float, > 0
        See :func:`otoscope.game.app.create_app`.
    database : str, optional
        Another database than the study's.
    """

    def __init__(self, folder: Path, *, speed: float, database: str | None = None) -> None:
        self.folder = folder
        self.speed = speed
        self.database = database
        self.url = ""
        self._port = 0
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, at the address that it had before, and wait until it listens.

        Raises
        ------
        SpecError
            If it ends instead, with what it said.
        """
        command = [sys.executable, "-m", "otoscope.game.simulate_server", str(self.folder), str(self._port)]
        command += [repr(self.speed), *([] if self.database is None else [self.database])]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, env=_environment()
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().strip().rstrip("/")
        if not self.url:
            self._end()
            raise SpecError(f"{self.folder}: its server does not start: {self.said()[-1000:] or 'it said nothing'}")
        self._port = int(self.url.rsplit(":", 1)[1])

    def kill(self) -> None:
        """End it without warning (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._end()

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._end()

    def close(self) -> None:
        """Stop it and let go of what it said."""
        self.stop()
        self._said.close()

    def said(self) -> str:
        """Give what it wrote to its standard error.

        Returns
        -------
        str
            Empty where all went well.
        """
        self._said.seek(0)
        return self._said.read().decode(errors="replace").strip()

    def _end(self) -> None:
        if self._process is not None:
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            self._process = None


def _environment() -> dict[str, str]:
    """Give the surroundings of the server: one thread for arithmetic, of which it does none."""
    return {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **os.environ}


def _end_with_parent() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os._exit(0)


def _say(at: Addresses) -> None:
    sys.stdout.write(f"{at.play}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Serve a study.

    Parameters
    ----------
    arguments : list of str
        Folder, port, speed and, where it is another, the database.
    """
    from otoscope.game.serve import run_server
    from otoscope.game.study import Study

    folder, port, speed, *database = arguments
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run_server(
        Study.open(folder),
        port=int(port),
        speed=float(speed),
        database=database[0] if database else None,
        ready=_say,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
