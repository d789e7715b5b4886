"""Join four clips to a song, and make a noise that is no music."""

from pathlib import Path

import numpy as np
import soundfile

clips = [soundfile.read(path) for path in sorted(Path("new/clips").glob("*.flac"))[:4]]
rate = clips[0][1]
soundfile.write("song.flac", np.concatenate([samples for samples, _ in clips]), rate)
soundfile.write("noise.flac", np.random.default_rng(0).normal(0.0, 0.1, 5 * rate), rate)
