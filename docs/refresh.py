"""Run the tutorial and the examples again, and write what they print, and the picture, into their pages.

    python docs/refresh.py

Read the difference before you keep it: the text beside an output may no longer be true of it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
TUTORIAL = DOCS / "tutorial" / "pitch.md"
OUTPUT = "% output"


def printed(command: list[str], folder: Path) -> list[str]:
    """Run a command; give the lines that it prints, errors in their place."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "OTOSCOPE_CACHE": str(folder / "cache"),
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",  # the matrices are small: more threads wait for each other
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return [line.rstrip() for line in done.stdout.strip("\n").splitlines()]


def refresh_tutorial(folder: Path) -> None:
    """Walk through the tutorial and replace the output of every step."""
    for table in TUTORIAL.parent.glob("*.csv"):
        shutil.copy(table, folder)
    lines = iter(TUTORIAL.read_text(encoding="utf-8").splitlines())
    out: list[str] = []
    inside = False
    for line in lines:
        inside = line == "```console" if not inside else line != "```"
        if not inside or line == "```console":
            out.append(line)
        elif line.startswith("$ "):
            call = [line]
            while call[-1].endswith("\\"):
                call.append(next(lines))
            out += [*call, *printed(["bash", "-c", "\n".join(part[2:] for part in call)], folder)]
    TUTORIAL.write_text("\n".join(out) + "\n", encoding="utf-8")
    shutil.copy(folder / "run" / "profile.svg", TUTORIAL.parent)


def refresh_example(page: Path, example: Path, folder: Path) -> None:
    """Run an example and replace what its page shows, block by block; each block keeps its number of lines."""
    got = iter(printed([sys.executable, str(example)], folder))
    out: list[str] = []
    state = "text"
    for line in page.read_text(encoding="utf-8").splitlines():
        if state == "inside" and line != "```":
            line = next(got)
        elif state == "inside":
            state = "text"
        elif line == OUTPUT:
            state = "marked"
        elif state == "marked" and line.startswith("```"):
            state = "inside"
        out.append(line)
    page.write_text("\n".join(out) + "\n", encoding="utf-8")


def main() -> None:
    """Refresh everything."""
    for page in sorted((DOCS / "howto").glob("*.md")):
        for example in sorted((DOCS / "examples").glob("*.py")):
            if f"examples/{example.name}\n" in page.read_text(encoding="utf-8"):
                with tempfile.TemporaryDirectory() as folder:
                    refresh_example(page, example, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        refresh_tutorial(Path(folder))


if __name__ == "__main__":
    main()
