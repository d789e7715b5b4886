"""Nothing heavy is imported before it is used, so that the program answers at once."""

import json
import pkgutil
import subprocess
import sys

import pytest

import otoscope

HEAVY = (
    "torch",
    "librosa",
    "scipy",
    "sklearn",
    "soundfile",
    "soxr",
    "pyarrow",
    "numba",
    "pandas",
    "safetensors",
    "transformers",
    "kaldi_native_fbank",
    "amfm_decompy",
    "matplotlib",
    "ray",
)
MODULES = sorted(module.name for module in pkgutil.walk_packages(otoscope.__path__, "otoscope."))
REPORT = (
    f"\nimport json, sys\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr)\n"
)


def run(program):
    """Run a program in a process of its own; give its standard output and the heavy modules that it imported."""
    done = subprocess.run([sys.executable, "-c", program + REPORT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(done.stderr.splitlines()[-1])


def asked(*words):
    """Give the program that the command line runs, with its exit code as the last line of its output."""
    return (
        f"import sys\nsys.argv = {['otoscope', *words]!r}\n"
        "from otoscope.cli.main import main\n"
        "try:\n    main()\n    code = 0\n"
        "except SystemExit as stop:\n    code = stop.code\n"
        "print(code)\n"
    )


def test_this_test_sees_what_is_imported():
    assert run("import safetensors\nimport otoscope\n")[1] == ["safetensors"]


@pytest.mark.parametrize("name", ["otoscope", "otoscope.cli.main", "otoscope.alignment"])
def test_importing_the_package_or_its_program_imports_nothing_heavy(name):
    assert run(f"import {name}\n")[1] == []


def test_no_module_imports_anything_heavy_when_it_is_imported():
    assert len(MODULES) > 40
    assert run("".join(f"import {name}\n" for name in MODULES))[1] == []


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("pitch", "--help"), ("corpus", "--help")])
def test_the_program_explains_itself_without_anything_heavy(words):
    out, heavy = run(asked(*words))
    *lines, code = out.splitlines()
    assert code == "0"
    assert heavy == []
    assert any("otoscope" in line for line in lines)


def test_help_names_the_verbs():
    out, _ = run(asked("--help"))
    assert "pitch" in out
    assert "corpus" in out


def test_an_unknown_verb_is_a_mistake_in_usage():
    done = subprocess.run(
        [sys.executable, "-m", "otoscope.cli.main", "nothing"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nothing" in done.stderr
