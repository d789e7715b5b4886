"""The walk of a first visitor: speak a demo corpus, run three models over it, and look at the answer."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

N_LANGUAGES = 3
LEAST_LEAD = 0.05  # of r within utterances: GE2E's second layer above log-mel and above its untrained copy


def otoscope(*args):
    """Run the program in a process of its own, as a visitor does."""
    code = "from otoscope.cli.main import main\nmain()\n"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_second_layer_of_ge2e_holds_more_pitch_than_log_mel_and_than_its_untrained_copy(tmp_path):
    for package in ("espeakng_loader", "gflanguages", "resemblyzer"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    speech, out = tmp_path / "speech", tmp_path / "run"
    assert f" in {N_LANGUAGES} languages" in otoscope("corpus", "make-demo", speech, "--languages", N_LANGUAGES)
    shown = json.loads(otoscope("corpus", "show", f"espeak:{speech}", "--json"))
    assert len(shown) == N_LANGUAGES
    assert all(min(row[split] for split in ("train", "dev", "test")) > 0 for row in shown)
    models = ("--model", "logmel,ge2e", "--model", "untrained:ge2e#0")
    said = otoscope("pitch", "run", "--corpus", f"espeak:{speech}", *models, "--out", out)
    assert "layer 2 (lstm 2) holds most pitch" in " ".join(said.split())
    assert (out / "profile.svg").read_text(encoding="utf-8").startswith("<svg ")
    rows = json.loads(otoscope("pitch", "table", out, "--json"))
    found = {
        (row["model"], row["layer"]): row
        for row in rows
        if (row["train"], row["test"], row["target"], row["metric"]) == ("lolo", "mean", "log2_f0", "within_r")
    }
    best = found["ge2e", 2]
    assert best["value"] == max(row["value"] for row in found.values())
    assert best["value"] > found["logmel", 0]["value"] + LEAST_LEAD
    assert best["value"] > found["untrained:ge2e#0", 2]["value"] + LEAST_LEAD
    assert best["baseline"] == found["logmel", 0]["value"]
    assert abs(best["control"]) < best["value"] / 2
    assert best["n_utterances"] == sum(row["test"] for row in shown)
    agreed = json.loads(
        otoscope(
            *(
                "pitch",
                "run",
                "--corpus",
                f"espeak:{speech}",
                "--model",
                "logmel,ge2e",
                "--agree",
                "2of2:yaapt-compat",
            ),
            *("--out", tmp_path / "agreed", "--json"),
        )
    )
    asked = [row for row in agreed if (row["test"], row["target"], row["metric"]) == ("mean", "log2_f0", "within_r")]
    mine = {
        (row["model"], row["layer"]): row for row in asked if (row["train"], row["mask"]) == ("lolo", "voiced-agreed")
    }
    (ceiling,) = (row for row in asked if (row["layer"], row["mask"]) == (None, "voiced-agreed"))
    assert max(mine, key=lambda key: mine[key]["value"]) == ("ge2e", 2)
    assert best["value"] - LEAST_LEAD < mine["ge2e", 2]["value"] < ceiling["value"]
    assert mine["ge2e", 2]["n_frames"] < best["n_frames"]
    assert "noise ceiling" in (tmp_path / "agreed" / "profile.svg").read_text(encoding="utf-8")
