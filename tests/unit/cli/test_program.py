"""The program itself: version, help, exit codes, what is imported, and lists."""

import json
import subprocess
import sys

import pytest
import soundfile
from typer.testing import CliRunner

import otoscope
import otoscope.studies.pitch.run as run_module
from otoscope.cli.main import app
from otoscope.cli.shared import SHOWN_FAILURES, console, print_json, say_failures, words
from otoscope.corpora.base import Failure
from otoscope.errors import SpecError
from otoscope.store import read_json
from otoscope.testing.signals import speechlike

HEAVY = (
    "torch",
    "librosa",
    "scipy",
    "soundfile",
    "pyarrow",
    "kaldi_native_fbank",
    "numba",
    "matplotlib",
    "safetensors",
)
VERBS = [[], ["pitch"], ["pitch", "run"], ["pitch", "table"], ["pitch", "sweep"], ["corpus", "show"]]


def program(code, *args):
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False, timeout=60
    )


def test_version_is_the_version_of_the_package(call):
    assert call("--version") == (0, f"otoscope {otoscope.__version__}\n", "")


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_every_verb_and_leaves_with_0(verb):
    shown = CliRunner().invoke(app, [*verb, "--help"])
    assert shown.exit_code == 0
    wanted = {0: ["pitch", "corpus"], 1: ["run", "table", "sweep"]}.get(len(verb), ["--json"])
    assert all(word in shown.output for word in wanted)


def test_help_and_mistakes_import_nothing_heavy():
    code = (
        "import json, sys\n"
        "from otoscope.cli.main import main\n"
        "sys.argv = ['otoscope', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as left:\n    code = left.code\n"
        f"print(json.dumps([code or 0, sorted({{*sys.modules}} & {{*{HEAVY!r}}})]))\n"
    )
    for args, expected in ((["--help"], 0), (["pitch", "run", "--help"], 0), (["pitch", "run"], 2)):
        done = program(code, *args)
        assert json.loads(done.stdout.splitlines()[-1]) == [expected, []], done.stderr


def test_the_installed_program_gives_its_exit_codes_to_the_shell(tmp_path):
    code = "from otoscope.cli.main import main\nmain()\n"
    done = program(code, "pitch", "table", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"otoscope: {tmp_path}: is not a run: it has no run.json; `otoscope pitch run --out` makes one\n"
    )
    assert program(code, "--version").returncode == 0


def test_ctrl_c_leaves_with_130_and_says_how_to_go_on(planted, call, command, tmp_path, monkeypatch):
    def stop(*args, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "run_pitch", stop)
    code, said, complained = call(*command(tmp_path / "run"))
    assert (code, said) == (130, "")
    assert complained == ("otoscope: stopped; what was computed is kept, and the same command goes on from there\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "/data/run"), "otoscope: /data/run: No space left on device\n"),
        (OSError(5, "Input/output error"), "otoscope: Input/output error\n"),
        (OSError("odd"), "otoscope: odd\n"),
    ],
)
def test_trouble_with_a_disk_is_one_line_and_exit_code_2(planted, call, command, tmp_path, monkeypatch, error, line):
    def fail(*args, **how):
        raise error

    monkeypatch.setattr(run_module, "run_pitch", fail)
    assert call(*command(tmp_path / "run")) == (2, "", line)


def test_settings_with_commas_and_models_with_commas_share_one_list(call, tmp_path, monkeypatch):
    lines = ["path,language,split,speaker"]
    for i in range(6):
        soundfile.write(tmp_path / f"{i}.wav", speechlike(i, duration_s=1.2)[0].samples, 16_000)
        lines.append(f"{i}.wav,en_us,{'test' if i < 2 else 'train'},s{i}")
    (tmp_path / "speech.csv").write_text("\n".join(lines))
    typed = ("pitch", "run", "--corpus", f"folder:{tmp_path / 'speech.csv'}", "--quiet", "--json")
    joined = call(*typed, "--out", tmp_path / "joined", "--model", "logmel:context=2,bands=40,mfcc")
    apart = call(*typed, "--out", tmp_path / "apart", "--model", "logmel:bands=40,context=2", "--model", "mfcc")
    assert joined == apart
    assert joined[0] == 0
    models = read_json(tmp_path / "joined" / "run.json")["models"]
    assert list(models) == ["logmel:bands=40,context=2", "mfcc"]
    assert models["logmel:bands=40,context=2"]["layers"][0]["dim"] == 40 * 5


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (None, None),
        (["a,b", "c"], ["a", "b", "c"]),
        ([" a , ,b,"], ["a", "b"]),
        (["a", "a"], ["a", "a"]),
    ],
)
def test_words_are_divided_by_commas_options_or_both(typed, read):
    assert words(typed) == read


@pytest.mark.parametrize("typed", [[""], [","], [" ", ",,"]])
def test_a_list_that_names_nothing_is_refused(typed):
    with pytest.raises(SpecError, match="names nothing; write one name, or several divided by commas"):
        words(typed)


@pytest.mark.parametrize("n", [0, 1, SHOWN_FAILURES, SHOWN_FAILURES + 1, 3 * SHOWN_FAILURES])
def test_the_first_failures_are_said_and_the_others_counted(n, capsys):
    say_failures([Failure(f"clip {i}", "audio", "is [silent]") for i in range(n)], "failures.json")
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    if n == 0:
        assert lines == []
        return
    assert lines[0] == f"{n} clip{'s were' if n > 1 else ' was'} left out (all in failures.json):"
    assert [line for line in lines if "[silent]" in line] == [
        f"  clip {i} [audio] is [silent]" for i in range(min(n, SHOWN_FAILURES))
    ]
    more = [f"  and {n - SHOWN_FAILURES} more"] if n > SHOWN_FAILURES else []
    assert lines[1 + min(n, SHOWN_FAILURES) :] == more


def test_a_pipe_gets_room_for_a_wide_table_and_names_as_they_are(capsys):
    out = console()
    out.print("[red]a[/nothing] :smile:")
    assert out.width == 120
    assert capsys.readouterr().out == "[red]a[/nothing] :smile:\n"


def test_json_is_readable_in_any_language_and_never_holds_nan(capsys):
    print_json([{"name": "Zoë 聲調", "value": None}])
    assert capsys.readouterr().out == '[\n {\n  "name": "Zoë 聲調",\n  "value": null\n }\n]\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json([float("nan")])
