"""Run the tutorials and the examples again, and write what they print, and the picture, into their pages.

    python docs/refresh.py                  # everything
    python docs/refresh.py memorability     # only pages with these names: tutorials, how-tos, features, or models

The list of features is written from the registry too, and the tables of models from what is known of checkpoints and
from measurements on tiny ones. Read the difference before you keep it: the text beside an output may no longer be
true of it.
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
from otoscope.report.tokens import DASH
from otoscope.representations.upstreams.cards import CARDS
from otoscope.representations.upstreams.catalogue import family_rows
from otoscope.representations.upstreams.checking import CheckpointReport, check_checkpoint
from otoscope.testing.checkpoints import TINY, write_checkpoint

DOCS = Path(__file__).resolve().parent
TUTORIALS = sorted((DOCS / "tutorial").glob("*.md"))
PICTURES = {"pitch": "run/profile.svg"}
MATERIAL = (".csv", ".py")  # what a walk finds in its folder
FEATURES = DOCS / "reference" / "features.md"
MODELS = DOCS / "reference" / "models.md"
MANY = 4  # languages that are counted instead of named, above this
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


def measured(folder: Path) -> dict[str, list[CheckpointReport]]:
    """Look over a tiny checkpoint with random weights of every kind; the reports by family."""
    found: dict[str, list[CheckpointReport]] = {}
    for kind in TINY:
        report = check_checkpoint(str(write_checkpoint(folder / kind, kind)))
        found.setdefault(report.family, []).append(report)
    return found


def largest(values: list[float | None]) -> str:
    """Write the largest of what was measured; a dash where nothing was."""
    known = [value for value in values if value is not None]
    return f"{max(known):.1g}" if known else DASH


def in_order(words: list[str]) -> str:
    """Write words as a choice."""
    return " or ".join(", ".join(words).rsplit(", ", 1)) if words else DASH


def clock_of(hop: int, receptive_field: int, start: int) -> str:
    """Write a clock as its numbers."""
    return f"{hop}, {receptive_field}, {start}"


def family_lines(reports: dict[str, list[CheckpointReport]]) -> list[str]:
    """Lay out one line per family: what is known of it, and what was measured."""
    known = {str(row["name"]): row for row in family_rows()}
    generic = {"model_types": ["others"], "layers": [], "level": "as its card says", "licences": []}
    lines: list[str] = []
    for name, found in reports.items():
        row = known.get(name, generic)
        problems = [problem for report in found for problem in report.problems]
        if problems:
            raise SystemExit(f"{name}: {'; '.join(problems)}")
        grid = found[0].grid
        cells = [
            f"{name}, as any other" if row is generic else name,
            ", ".join(f"`{kind}`" for kind in row["model_types"]) if row is not generic else "[others](#any-other)",
            f"0 to {in_order([str(n) for n in row['layers']])}" if row["layers"] else "0 to its blocks",
            clock_of(grid.hop, grid.receptive_field, grid.start),
            largest([report.difference for report in found]),
            largest([report.batch_difference for report in found]),
            largest([report.padded_difference for report in found]),
            str(row["level"]),
            "; ".join(row["licences"]) or "its own",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def checkpoint_lines() -> list[str]:
    """Lay out one line per checkpoint that something is known of."""
    lines: list[str] = []
    for card in CARDS:
        heard = DASH if card.heard is None else f"{len(card.heard)} languages"
        if card.heard is not None and len(card.heard) <= MANY:
            heard = ", ".join(f"`{code}`" for code in card.heard)
        cells = [
            f"`{card.name}`",
            str(card.n_layers),
            str(card.dim),
            clock_of(card.grid.hop, card.grid.receptive_field, card.grid.start),
            {True: "on", False: "off", None: DASH}[card.normalize],
            heard,
            plain(card.licence),
            plain(card.unverified) or "",
        ]
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return lines


def models_page(reports: dict[str, list[CheckpointReport]]) -> str:
    """Write the page of models from what is known of checkpoints and from what was measured of tiny ones."""
    text = MODELS.read_text(encoding="utf-8").splitlines()
    tables = {"families": family_lines(reports), "checkpoints": checkpoint_lines()}
    out: list[str] = []
    waiting = None
    for line in text:
        mark = re.fullmatch(r"% written by docs/refresh.py: (\w+)", line)
        if mark:
            waiting = tables[mark[1]]
        if waiting is not None and line.startswith("| ") and out[-1].startswith("|---"):
            out += waiting
            waiting = []
        if waiting == [] and line.startswith("|"):
            continue
        if waiting == []:
            waiting = None
        out.append(line)
    return "\n".join(out) + "\n"


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
    if not asked or MODELS.stem in asked:
        with tempfile.TemporaryDirectory() as folder:
            MODELS.write_text(models_page(measured(Path(folder))), encoding="utf-8")
    for page in TUTORIALS:
        if not asked or page.stem in asked:
            with tempfile.TemporaryDirectory() as folder:
                refresh_tutorial(page, Path(folder))


if __name__ == "__main__":
    main()
