"""What the documentation says is so: commands, options, links, names, examples and their output."""

import ast
import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main

import otoscope
from otoscope.cli.main import app
from otoscope.f0.registry import TRACKERS
from otoscope.features.registry import BUILT_IN, DEFAULT, ENTRY_POINT, catalogue
from otoscope.predictors.registry import PREDICTORS
from otoscope.representations.registry import MODELS
from otoscope.studies.memorability.labels import COLUMNS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = sorted(DOCS.rglob("*.md"))
TUTORIALS = sorted((DOCS / "tutorial").glob("*.md"))
MATERIAL = (".csv", ".py")  # what a walk through a tutorial finds in its folder
CLI = DOCS / "reference" / "cli.md"
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
FEATURES = DOCS / "reference" / "features.md"
LABELS = DOCS / "howto" / "your-own-labels.md"
OWN_FEATURES = DOCS / "howto" / "your-own-features.md"
ROUNDING = 0.02  # how far a shown number may be off: this much, and this share of it
EXAMPLE_LIMIT_S = 120
TUTORIAL_LIMIT_S = 600
OUTPUT = "% output"  # the comment above a block that an example must print
OTHERS_ROOMS = ("otoscope.cli", "otoscope.report")  # not for users to import
SCRIPTS = ("otoscope.corpora.espeak_process", "otoscope.f0.yaapt_core.__main__")

_FENCE = re.compile(r"^(`{3,})(.*)$")
_NUMBER = re.compile(r"\d+(?:,\d{3})+|\d+(?:\.\d+)?(?:e-\d+)?")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Fence:
    """A fenced block: what stands after the backticks, its lines, and the last line before it."""

    info: str
    lines: tuple[str, ...]
    before: str


def parts(page):
    """Divide a page into its prose and its fenced blocks."""
    prose, fences, inside, before = [], [], None, ""
    for line in page.read_text(encoding="utf-8").splitlines():
        mark = _FENCE.match(line)
        if inside is None and mark:
            inside = (mark[1], mark[2].strip(), [])
        elif inside is not None and line.rstrip() == inside[0]:
            fences.append(Fence(inside[1], tuple(inside[2]), before))
            inside, before = None, ""
        elif inside is not None:
            inside[2].append(line)
        else:
            prose.append(line)
            before = line or before
    assert inside is None, f"{page.name}: a block is not closed"
    return "\n".join(prose), fences


def inline(page):
    """Give what stands in single backticks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", parts(page)[0])


def steps(page):
    """Give the commands of the console blocks, each with the output that is shown."""
    found = []
    for fence in parts(page)[1]:
        if fence.info != "console":
            continue
        assert fence.lines[0].startswith("$ "), f"{page.name}: a console block begins with {fence.lines[0]!r}"
        going_on = False
        for line in fence.lines:
            if line.startswith("$ "):
                found.append([line[2:], []])
                going_on = line.endswith("\\")
            elif going_on:
                found[-1][0] += f"\n{line.removeprefix('> ')}"
                going_on = line.endswith("\\")
            else:
                found[-1][1].append(line)
    return [(command, "\n".join(shown)) for command, shown in found]


def all_commands(command, path="otoscope"):
    """Give every command by the words that call it."""
    yield path, command
    for name, each in sorted(getattr(command, "commands", {}).items()):
        yield from all_commands(each, f"{path} {name}")


COMMANDS = dict(all_commands(typer.main.get_command(app)))
VERBS = {path: command for path, command in COMMANDS.items() if not hasattr(command, "commands")}


def command_of(words):
    """Find the command that some words call, and what is left of them."""
    for n in range(len(words), 0, -1):
        if " ".join(words[:n]) in COMMANDS:
            return " ".join(words[:n]), words[n:]
    raise AssertionError(f"{' '.join(words)}: there is no such command")


def calls(text):
    """Give each call of the program in a line of shell."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words, call = list(lexer), []
    words = words[: next((i for i, word in enumerate(words) if word.startswith("#")), None)]
    for word in [*words, ";"]:
        if word and set(word) <= set("();<>|&"):
            if call and call[0] == "otoscope":
                yield call
            call = []
        elif call or word not in ("do", "then", "!"):
            call.append(word)


def options_of(command):
    named = (option for param in command.params for option in (*param.opts, *param.secondary_opts))
    return {option for option in named if option.startswith("--")} | {"--help"}


def alike(shown, got):
    """Say whether two pieces of output have the same words, and numbers that are equal but for rounding."""
    if _NUMBER.sub("#", shown) != _NUMBER.sub("#", got):
        return False
    pairs = zip(_NUMBER.findall(shown), _NUMBER.findall(got), strict=True)
    for a, b in ((float(x.replace(",", "")), float(y.replace(",", ""))) for x, y in pairs):
        if abs(a - b) > ROUNDING * (1 + abs(a)):
            return False
    return True


def difference(shown, got):
    """Give the first word in which shown output differs from the real one; None where there is none."""
    one, other = shown.split(), got.split()
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if not alike(a, b):
            near = slice(max(0, i - 5), i + 5)
            return f"shown: ... {' '.join(one[near])}\ngot:   ... {' '.join(other[near])}"
    return None if len(one) == len(other) else f"{len(one)} words are shown and {len(other)} were printed:\n{got}"


def environment(folder):
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "OTOSCOPE_CACHE": str(folder / "cache"),
        "PYTHONUNBUFFERED": "1",  # so that errors stand after what was printed before them
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",  # the matrices are small: more threads wait for each other
    }


# The helpers of this file, which decide what the tests below can see.


def test_rounding_is_forgiven_and_nothing_else():
    assert difference("r 0.62 (0.58-0.66), 9,440 frames", "r  0.63\n(0.58-0.66), 9,441 frames") is None
    assert difference("r 0.62 (0.58-0.66)", "r 0.66 (0.58-0.66)")
    assert difference("layer 2", "layer 3")
    assert difference("r 0.02", "r -0.02")
    assert difference("s01-f1.wav", "s02-f1.wav")
    assert difference("two words", "two")


def test_calls_are_found_in_shell():
    text = (
        'for f in *; do otoscope corpus show "folder:$f" --json; done; otoscope pitch run \\\n --out x > y | cat # z'
    )
    assert list(calls(text)) == [
        ["otoscope", "corpus", "show", "folder:$f", "--json"],
        ["otoscope", "pitch", "run", "--out", "x"],
    ]
    assert command_of(["otoscope", "pitch", "table", "run"]) == ("otoscope pitch table", ["run"])
    with pytest.raises(AssertionError, match="no such command"):
        command_of(["otoscopes"])


def test_there_is_documentation_to_look_at():
    assert len(PAGES) > 20
    assert len(EXAMPLES) >= 4
    assert len(VERBS) >= 10
    assert [page.stem for page in TUTORIALS] == ["memorability", "pitch"]
    for page in TUTORIALS:
        assert len(steps(page)) >= 10


# Commands and options.


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.name)
def test_every_call_in_a_block_can_be_parsed(page):
    texts = [command for command, _ in steps(page)]
    texts += ["\n".join(fence.lines) for fence in parts(page)[1] if fence.info in ("sh", "")]
    for text in texts:
        for line in text.replace("\\\n", " ").splitlines():
            for call in calls(line):
                path, rest = command_of(call)
                if path in VERBS and "--help" not in rest:
                    VERBS[path].make_context(path, rest)
                else:
                    assert set(rest) <= options_of(COMMANDS[path]), call


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.name)
def test_every_command_and_option_in_the_text_exists(page):
    known = set().union(*(options_of(command) for command in COMMANDS.values()))
    for code in inline(page):
        words = code.split()
        named = {word.partition("=")[0] for word in words if word.startswith("--")}
        if words[0] == "otoscope" and len(words) > 1:
            path, _ = command_of(words)
            assert len(path.split()) > 1, code
            assert named <= options_of(COMMANDS[path]), code
        elif not words[0].endswith(("pip", "python", "git")):
            assert named <= known, code


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.name)
def test_every_make_target_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    blocks = [line for fence in parts(page)[1] for line in fence.lines if fence.info in ("sh", "")]
    for text in [*inline(page), *blocks]:
        words = text.partition(" #")[0].split()
        if words and words[0] == "make":
            assert set(words[1:]) <= targets, text


def section(page, heading):
    """Give the text below a heading, up to the next one of its level."""
    text = page.read_text(encoding="utf-8")
    assert f"\n{heading}\n" in text, f"{page.name} has no heading {heading!r}"
    return re.split(rf"\n{'#' * len(heading.split()[0])} ", text.split(f"\n{heading}\n", 1)[1])[0]


def expected_rows(command):
    """Give the rows that the reference must have for a command: name, help and default of each parameter."""
    for param in command.params:
        name = next((option for option in param.opts if option.startswith("--")), param.name.upper())
        many = ", repeatable" if param.multiple else ""
        default = param.default
        if param.required:
            said = f"needed{many}"
        elif isinstance(said_by_help := getattr(param, "show_default", None), str):
            said = said_by_help
        elif default is None or default is False:
            said = many.removeprefix(", ") or ("off" if default is False else "")
        elif default is True:
            said = "on"
        elif param.multiple:
            said = f"`{','.join(default)}`{many}"
        else:
            said = f"`{default}`"
        yield f"| `{name}` | {param.help} | {said} |".replace("|  |", "| |")


@pytest.mark.parametrize("path", VERBS)
def test_the_reference_has_every_parameter_of_a_command_with_its_help_and_default(path):
    below = section(CLI, f"## `{path}`")
    assert inspect.cleandoc(VERBS[path].help or "").split("\n\n")[0] in below
    rows = list(expected_rows(VERBS[path]))
    assert [row for row in rows if row not in below] == []
    assert len(re.findall(r"^\| `", below, re.MULTILINE)) == len(rows), "a row is of no parameter"


def test_the_reference_has_every_command_and_no_other():
    headings = re.findall(r"^## `(otoscope.*)`$", CLI.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted({"otoscope", *VERBS})
    for param in COMMANDS["otoscope"].params:
        assert f"`{param.opts[0]}`" in section(CLI, "## `otoscope`")


def word(value):
    return (
        ("on" if value else "off")
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_reference_has_every_setting_of_a_model(name):
    below = section(CLI, "## Models")
    for key, setting in MODELS[name].settings.items():
        accepted = setting.accepted.replace("|", "\\|")
        assert f"| `{name}` | `{key}` | {setting.meaning} | {accepted} | `{word(setting.default)}` |" in below


@pytest.mark.parametrize("name", TRACKERS)
def test_the_reference_has_every_setting_of_a_tracker(name):
    below = section(CLI, "## Trackers")
    found = dict(re.findall(rf"^\| `{name}` \| `(\w+)` \|.*\| `([^`]+)` \|$", below, re.MULTILINE))
    parameters = inspect.signature(TRACKERS[name]).parameters
    assert found == {key: word(parameter.default) for key, parameter in parameters.items()}


@pytest.mark.parametrize("name", PREDICTORS)
def test_the_reference_has_every_model_of_scores_and_every_setting_of_it(name):
    below = section(CLI, "## Models of scores")
    entry = PREDICTORS[name]
    if "@" in name:  # opened by --recipe audmem only, and described there
        assert f"`{name}`" in below
        return
    assert f"| `{name}` | {entry.summary} |" in below
    for key, setting in entry.settings.items():
        accepted = setting.accepted.replace("|", "\\|")
        assert f"| `{name}` | `{key}` | {setting.meaning} | {accepted} | `{word(setting.default)}` |" in below


# Features and labels.


def refresh():
    """Load the script that writes the generated parts of the documentation."""
    spec = importlib.util.spec_from_file_location("refresh", DOCS / "refresh.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_of_features_is_the_one_of_the_registry():
    expected = refresh().features_page()
    assert FEATURES.read_text(encoding="utf-8") == expected, "run python docs/refresh.py features"
    for group, feature, _ in catalogue():
        if group.name in BUILT_IN:
            assert f"\n`{feature.id}`" in expected


def test_the_page_of_features_names_every_default_group():
    page = DOCS / "concepts" / "features.md"
    titles = {group.name: group.title for group, _, _ in catalogue()}
    for name in DEFAULT:
        assert f"| `{name}` | {titles[name]} |" in page.read_text(encoding="utf-8")


def test_the_page_of_labels_has_every_column_and_no_other():
    text = LABELS.read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)[: len(COLUMNS)] == list(COLUMNS)


def test_the_entry_point_of_the_how_to_brings_the_group_of_the_example(tmp_path):
    (toml,) = [fence for fence in parts(OWN_FEATURES)[1] if fence.info == "toml"]
    points = tomllib.loads("\n".join(toml.lines))["project"]["entry-points"][ENTRY_POINT]
    (name, where), *others = points.items()
    assert not others
    package = tmp_path / where.partition(":")[0]
    package.with_suffix(".py").write_text((DOCS / "examples" / "own_features.py").read_text(encoding="utf-8"))
    installed = tmp_path / "mine-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(f"[{ENTRY_POINT}]\n{name} = {where}\n")
    done = subprocess.run(
        ["otoscope", "memorability", "features", "--list", "--features", name, "--json"],
        cwd=tmp_path,
        env={**environment(tmp_path), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=EXAMPLE_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {row["group"] for row in json.loads(done.stdout)} == {name}


# Links, names and paths.


def slugs(page):
    """Give the anchors of a page's headings, as MyST makes them."""
    headings = re.findall(r"^#{1,3} (.+)$", parts(page)[0], re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    prose, fences = parts(page)
    links = [link for link in _LINK.findall(re.sub(r"`[^`\n]+`", "", prose)) if "://" not in link]
    for fence in fences:
        if fence.info.startswith("{literalinclude}"):
            links.append(fence.info.split()[1])
        if fence.info.startswith("{toctree}"):
            links += [f"{line.strip()}.md" for line in fence.lines if line.strip() and not line.startswith(":")]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in slugs(target), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_included_part_is_there(page):
    for fence in parts(page)[1]:
        if fence.info.startswith("{literalinclude}"):
            text = (page.parent / fence.info.split()[1]).read_text(encoding="utf-8")
            for mark in re.findall(r'^:(?:start-after|end-before): "(.*)"$', "\n".join(fence.lines), re.MULTILINE):
                assert text.count(mark) == 1, f"{page.name}: {mark}"


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.name)
def test_every_name_and_path_in_the_text_exists(page):
    for code in inline(page):
        if re.fullmatch(r"otoscope(\.\w+)+", code):
            module, found = code.split("."), None
            for n in range(len(module), 0, -1):
                try:
                    found = importlib.import_module(".".join(module[:n]))
                except ModuleNotFoundError:
                    continue
                for name in module[n:]:
                    found = getattr(found, name)
                break
            assert found is not None, code
        if re.match(r"(src|docs|tests|benchmarks)/", code):
            assert (ROOT / code).exists(), code


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.name)
def test_every_import_in_a_block_of_python_works(page):
    for fence in parts(page)[1]:
        if fence.info == "python":
            for node in ast.walk(ast.parse("\n".join(fence.lines))):
                if isinstance(node, ast.ImportFrom):
                    module = importlib.import_module(node.module or "")
                    assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def test_every_public_module_is_in_the_python_interface_once():
    named = [
        name
        for page in sorted((DOCS / "reference" / "api").glob("*.md"))
        for heading, name in re.findall(
            r"^## `(\S+)`\n\n```\{eval-rst\}\n\.\. automodule:: (\S+)$",
            page.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        if heading == name
    ]
    modules = [
        module.name
        for module in pkgutil.walk_packages(otoscope.__path__, "otoscope.")
        if not module.ispkg and not module.name.startswith(OTHERS_ROOMS) and module.name not in SCRIPTS
    ]
    assert sorted(named) == sorted(modules)


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.name)
def test_the_voice_is_calm(page):
    prose = re.sub(r"`[^`\n]+`|<!--.*?-->|!\[", "", parts(page)[0])
    assert "!" not in prose


# Examples.


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_and_prints_what_its_page_shows(path, tmp_path):
    pages = [page for page in PAGES if f"examples/{path.name}" in page.read_text(encoding="utf-8")]
    assert pages, f"no page includes {path.name}"
    shown = [fence for page in pages for fence in parts(page)[1] if fence.before == OUTPUT]
    assert shown, f"{pages[0].name} shows no output of {path.name}"
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=EXAMPLE_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert difference("\n".join(line for fence in shown for line in fence.lines), done.stdout) is None


def test_the_model_of_the_how_to_has_thirty_lines():
    text = (DOCS / "examples" / "own_model.py").read_text(encoding="utf-8")
    model = text.split("# model: begin\n")[1].split("# model: end")[0]
    assert ast.parse(model)
    assert sum(bool(line.strip()) for line in model.splitlines()) <= 30


# The tutorials.


def test_the_first_page_shows_commands_of_the_tutorials():
    there = {command for page in TUTORIALS for command, _ in steps(page)}
    assert {command for command, _ in steps(DOCS / "index.md")} <= there


@pytest.fixture(scope="module", params=TUTORIALS, ids=lambda page: page.stem)
def walked(request, tmp_path_factory):
    """Walk through a tutorial; give its page, its folder and what each step shows and printed."""
    page = request.param
    folder = tmp_path_factory.mktemp(page.stem)
    for path in page.parent.iterdir():
        if path.suffix in MATERIAL:
            (folder / path.name).write_bytes(path.read_bytes())
    found = []
    for command, shown in steps(page):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TUTORIAL_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        found.append((command, shown, done.stdout))
    return page, folder, found


@pytest.mark.slow
def test_a_tutorial_shows_what_its_commands_print(walked):
    problems = [f"$ {command}\n{said}" for command, shown, got in walked[2] if (said := difference(shown, got))]
    assert not problems, "\n\n".join(problems)


@pytest.mark.slow
def test_the_picture_of_a_tutorial_is_the_one_that_its_run_drew(walked):
    page, folder, _ = walked
    if page.stem != "pitch":
        pytest.skip("this tutorial shows no picture")
    drawn = (folder / "run" / "profile.svg").read_text(encoding="utf-8")
    kept = (DOCS / "tutorial" / "profile.svg").read_text(encoding="utf-8")
    titles = [re.findall(r"<title>(.*?)</title>", text) for text in (kept, drawn)]
    assert titles[0]
    assert difference("\n".join(titles[0]), "\n".join(titles[1])) is None


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(tmp_path):
    for name in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(name, reason="the extra `docs` is not installed", exc_type=ImportError)
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html" / "index.html").is_file()
