"""What a module offers is what it says it offers."""

import ast
import importlib
import pkgutil
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import otoscope

ROOT = Path(otoscope.__file__).parent
SCRIPTS = {"otoscope.corpora.espeak_process", "otoscope.f0.yaapt_core.__main__"}  # run as programs, never imported
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(otoscope.__path__, "otoscope.")
    if not module.ispkg and module.name not in SCRIPTS
)


def path_of(name):
    return ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py")


def imports_from_ours(tree):
    """Give each name that a module imports from one of ours, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "otoscope":
            for alias in node.names:
                yield node.module, alias.name


def test_there_are_modules_to_look_at():
    assert {"otoscope.errors", "otoscope.evaluation.scores", "otoscope.cli.main"} <= set(MODULES)
    assert all(path_of(name).is_file() for name in MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_offers_and_has_it(name):
    module = importlib.import_module(name)
    offered = getattr(module, "__all__", None)
    assert offered, f"{name} has no __all__"
    assert len(set(offered)) == len(offered)
    assert [entry for entry in offered if not hasattr(module, entry)] == []
    assert [entry for entry in offered if entry.startswith("_")] == []


@pytest.mark.parametrize("name", [*MODULES, *SCRIPTS])
def test_a_module_imports_from_another_room_only_what_is_offered_there(name):
    for source, imported in imports_from_ours(ast.parse(path_of(name).read_text(encoding="utf-8"))):
        if not path_of(source).is_file():
            assert f"{source}.{imported}" in MODULES or hasattr(otoscope, imported), f"{source}.{imported}"
        elif source.rpartition(".")[0] == name.rpartition(".")[0] != "otoscope":
            assert not imported.startswith("_"), f"{name}: from {source} import {imported}"
        else:
            assert imported in importlib.import_module(source).__all__, f"{name}: from {source} import {imported}"


def test_a_script_can_be_run_and_is_imported_by_nobody():
    for script in SCRIPTS:
        assert '\nif __name__ == "__main__":\n    main()\n' in path_of(script).read_text(encoding="utf-8")
        package, _, own = script.rpartition(".")
        for name in MODULES:
            imported = set(imports_from_ours(ast.parse(path_of(name).read_text(encoding="utf-8"))))
            assert (package, own) not in imported
            assert script not in {source for source, _ in imported}


def test_the_version_is_a_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+([a-z.]+\d+)?", otoscope.__version__)


def test_the_program_is_installed_under_its_name():
    from otoscope.cli.main import main

    (point,) = entry_points(group="console_scripts", name="otoscope")
    assert point.load() is main
