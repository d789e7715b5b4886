"""Whatever kills a run, and whenever: the same command ends where an undisturbed run ends, byte for byte."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from otoscope.store import read_json
from otoscope.studies.pitch.status import verify_run
from otoscope.testing.signals import speechlike

CODE = "from otoscope.cli.main import main\nmain()\n"


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Write 32 clips of a second in two languages, and a manifest."""
    folder = tmp_path_factory.mktemp("speech")
    lines = ["path,language,sentence,split"]
    for i in range(32):
        waveform, _, _ = speechlike(i, duration_s=1.0)
        soundfile.write(folder / f"{i}.wav", waveform.samples, waveform.sample_rate, subtype="FLOAT")
        lines.append(
            f"{i}.wav,{('en_us', 'cmn_hans_cn')[i % 2]},s{i},{('train', 'train', 'dev', 'test')[i // 2 % 4]}"
        )
    (folder / "speech.csv").write_text("\n".join(lines) + "\n")
    return folder / "speech.csv"


def begin(speech, out, cache):
    models = ("--model", "logmel", "--model", "mfcc", "--shard-clips", "2")
    command = ("pitch", "run", "--corpus", f"folder:{speech}", *models, "--out", out, "--quiet")
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *map(str, command)],
        env={**os.environ, "OTOSCOPE_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process):
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()


def contents(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and "journal" not in p.relative_to(folder).parts
    }


@pytest.fixture(scope="module")
def undisturbed(speech, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    finish(begin(speech, folder / "run", folder / "cache"))
    return folder / "run", time.monotonic() - began


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_at_random_moments_ends_with_the_same_bytes(speech, undisturbed, tmp_path, kills):
    whole, took_s = undisturbed
    rng = np.random.default_rng(kills)
    killed = 0
    for moment in rng.uniform(0.3, 1.1, kills) * took_s:
        process = begin(speech, tmp_path / "run", tmp_path / "cache")
        time.sleep(moment)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
        if (tmp_path / "run" / "run.json").exists():
            problems = [p for p in verify_run(tmp_path / "run") if "killed" not in p.what]
            assert problems == [] or not (tmp_path / "run" / "done.json").exists()
    assert killed >= kills // 3
    finish(begin(speech, tmp_path / "run", tmp_path / "cache"))
    assert contents(tmp_path / "run") == contents(whole)
    assert read_json(tmp_path / "run" / "failures.json") == []


def test_two_at_once_do_not_disturb_each_other(speech, undisturbed, tmp_path):
    whole, _ = undisturbed
    first = begin(speech, tmp_path / "run", tmp_path / "cache")
    while not (tmp_path / "run" / "run.json").exists():
        time.sleep(0.02)
        assert first.poll() is None
    second = begin(speech, tmp_path / "run", tmp_path / "cache")
    _, said = second.communicate(timeout=300)
    finish(first)
    assert second.returncode == 0 or (second.returncode == 2 and b"is working here" in said)
    assert contents(tmp_path / "run") == contents(whole)
