"""Run the tutorials and the examples again, and write what they print, and the picture, into their pages.

    python docs/refresh.py                  # everything
    python docs/refresh.py memorability     # only pages with these names: tutorials, how-tos, or features

The list of features is written from the registry too. Read the difference before you keep it: the text beside an
output may no longer be true of it.
"""

import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from otoscope.features.registry import BUILT_IN, catalogue

DOCS = Path(__file__).resolve().parent
TUTORIALS = sorted((DOCS / "tutorial").glob("*.md"))
PICTURES = {"pitch": "run/profile.svg"}
MATERIAL = (".csv", ".py")  # what a walk finds in its folder
FEATURES = DOCS / "reference" / "features.md"
OUTPUT = "% output"

_SPECIAL = re.compile(r"([\\`*_\[\]<>{}|~$#])")


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


def refresh_tutorial(page: Path, folder: Path) -> None:
    """Walk through a tutorial and replace the output of every step."""
    for path in page.parent.iterdir():
        if path.suffix in MATERIAL:
            shutil.copy(path, folder)
    lines = iter(page.read_text(encoding="utf-8").splitlines())
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
    page.write_text("\n".join(out) + "\n", encoding="utf-8")
    if page.stem in PICTURES:
        shutil.copy(folder / PICTURES[page.stem], page.parent)


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


def plain(text: str) -> str:
    """Keep signs that MyST would take for markup."""
    return _SPECIAL.sub(r"\\\1", text)


def features_page() -> str:
    """List the features of every group that otoscope itself brings, in the words of their definitions."""
    groups = {}
    for group, feature, _ in catalogue():
        if group.name in BUILT_IN:
            groups.setdefault(group.name, (group, []))[1].append(feature)
    n_default = sum(len(features) for name, (_, features) in groups.items() if name != "opensmile")
    lines = [
        "% Written by docs/refresh.py from the registry of features. Change the definitions there, not here.",
        "",
        "# All features",
        "",
        f"{n_default} features in {len(groups) - 1} groups are used where nothing else is asked for; the group",
        f"`opensmile` has {len(groups['opensmile'][1])} more and is used only where it is named. Of each: its id and "
        "unit, a sentence for",
        "listeners, how a clip with more and with less of it is called in explanations, and the definition for those "
        "who would",
        "compute it again. [Features](../concepts/features.md) says what all of them have in common.",
        "",
        "| group | about | features | licence of code and weights |",
        "|---|---|---|---|",
        *(
            f"| [`{name}`](#{name}) | {plain(group.title)} | {len(features)} | {plain(group.licence)} |"
            for name, (group, features) in groups.items()
        ),
        "",
    ]
    for name, (group, features) in groups.items():
        about = inspect.getdoc(import_module(f"otoscope.features.{name}")) or ""
        first = " ".join(about.split("\n\n")[0].split())
        lines += [f"## `{name}`", "", f"{plain(group.title)}. {plain(first)}", ""]
        for feature in features:
            unit = "" if feature.unit == "1" else f", in {plain(feature.unit)}"
            lines += [
                f"`{feature.id}`{unit}",
                f": {plain(feature.plain)}",
                f"  *More: {plain(feature.more)}. Less: {plain(feature.less)}.*",
                "",
                f"  {plain(feature.definition)}",
                "",
            ]
    return "\n".join(lines[:-1]) + "\n"


def main() -> None:
    """Refresh everything, or what is named."""
    asked = sys.argv[1:]
    for page in sorted((DOCS / "howto").glob("*.md")):
        for example in sorted((DOCS / "examples").glob("*.py")):
            named = not asked or page.stem in asked
            if named and f"examples/{example.name}\n" in page.read_text(encoding="utf-8"):
                with tempfile.TemporaryDirectory() as folder:
                    refresh_example(page, example, Path(folder))
    if not asked or FEATURES.stem in asked:
        FEATURES.write_text(features_page(), encoding="utf-8")
    for page in TUTORIALS:
        if not asked or page.stem in asked:
            with tempfile.TemporaryDirectory() as folder:
                refresh_tutorial(page, Path(folder))


if __name__ == "__main__":
    main()
