"""States of a checkpoint, written by `otoscope extract` and read again."""

# ruff: noqa: T201

import csv
import subprocess
from pathlib import Path

import soundfile

from otoscope.store import read_arrays
from otoscope.testing.checkpoints import write_checkpoint
from otoscope.testing.signals import speechlike

if __name__ == "__main__":
    write_checkpoint("my-checkpoint", "hubert")
    Path("speech").mkdir()
    for seed, name in enumerate(("anna", "ben")):
        waveform = speechlike(seed, duration_s=1.0)[0]
        soundfile.write(f"speech/{name}.wav", waveform.samples, waveform.sample_rate)
    command = "otoscope extract speech --model ./my-checkpoint --layer 2 --out states --quiet"
    subprocess.run(command.split(), check=True, capture_output=True)

    # read: begin
    with open("states/index.csv") as file:
        for row in csv.DictReader(file):
            arrays, about = read_arrays(Path("states") / row["file"])
            states, times_s = arrays["states"], arrays["times_s"]
            print(f"{row['clip_id']}: {about['layer_name']}, {states.shape[0]} frames of {states.shape[1]}")
            print(f"  the first at {1000 * times_s[0]:.1f} ms, then every {1000 * (times_s[1] - times_s[0]):.0f} ms")
    # read: end
