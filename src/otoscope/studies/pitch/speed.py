"""How fast this machine is at what a pitch run does, measured in a few seconds.

Everything but the forward pass is the run's own code at the model's own shape, on made-up states: targets, moments,
scores, solving, files, labels. The forward pass is measured too where the model can be opened. Where it cannot, its
operations are divided by the speed of matrix products of the same shapes, times :data:`EFFICIENCY`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otoscope.audio import Waveform, resample
from otoscope.corpora.base import Clip
from otoscope.errors import DataError
from otoscope.evaluation.splits import seeded_generator
from otoscope.f0.base import F0Track, Tracker
from otoscope.representations.base import Model
from otoscope.store import read_arrays, write_arrays
from otoscope.studies.pitch.panel import Panel
from otoscope.studies.pitch.prepare import threads_for_block
from otoscope.studies.pitch.rehearsal import ModelSpeed, Rehearsal, least_time
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.shapes import ModelShape
from otoscope.studies.pitch.targets import Heard

__all__ = [
    "EFFICIENCY",
    "ModelSpeed",
    "Room",
    "Speed",
    "forward_speed",
    "measure_room",
    "measure_speed",
    "products_per_s",
]

EFFICIENCY = 0.7
"""What a forward pass comes to, of the speed of matrix products: for encoders of 94 and 315 million weights, one and
two threads, clips of ten seconds; ``benchmarks/planning.py`` measures it."""
RATE = 16_000
SECONDS = 10.0
FILE_FLOATS = 4_000_000


@dataclass(frozen=True, slots=True)
class Speed:
    """What a run costs on this machine.

    Parameters
    ----------
    models : mapping of str to ModelSpeed
        By name.
    label_s : float, seconds
        Of the F0 trackers, per second of audio.
    label_bytes : float, bytes
        Of the labels that are kept, per second of audio.
    label_header_bytes : float, bytes
        The same, per clip.
    read_s : float, seconds
        Of reading and resampling a clip, per second of audio.
    file_bytes_per_s : float
        Of files that are written and read again.
    threads : int or None
        That all this was measured with; None where models were left as they are.
    device : str
        Where the model runs.
    """

    models: Mapping[str, ModelSpeed]
    label_s: float
    label_bytes: float
    label_header_bytes: float
    read_s: float
    file_bytes_per_s: float
    threads: int | None = None
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Room:
    """What this machine has.

    Parameters
    ----------
    disk_bytes : int
        Free where the run will stand.
    memory_bytes : int or None
        That a program may use; None where the system does not say.
    cores : int
        That this process may use.
    load : float or None
        Processes that wanted a core in the last minute; None where the system does not say. Look before measuring.
    """

    disk_bytes: int
    memory_bytes: int | None
    cores: int
    load: float | None = None


def measure_room(folder: Path) -> Room:
    """Look at the disk, the memory and the cores.

    Parameters
    ----------
    folder : Path
        Where the run will stand; it need not be there yet.

    Returns
    -------
    Room
        Memory is the machine's, or that of the control group where that is less.
    """
    import shutil

    at = folder.absolute()
    while not at.exists():
        at = at.parent
    memory: list[int] = []
    with contextlib.suppress(ValueError, OSError, AttributeError):
        memory.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(ValueError, OSError):
            memory.append(int(Path(limit).read_text(encoding="ascii")))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = None
    with contextlib.suppress(OSError, AttributeError):
        load = os.getloadavg()[0]
    return Room(shutil.disk_usage(at).free, min(memory, default=None), cores, load)


def measure_speed(
    shapes: Sequence[ModelShape],
    tracker: Tracker,
    settings: PitchSettings | None = None,
    *,
    models: Mapping[str, Model] | None = None,
    clips: Sequence[Clip] = (),
    n_sources: int = 2,
    device: str = "cpu",
    threads: int | None = None,
    folder: Path | None = None,
    panel: Panel | None = None,
) -> Speed:
    """Measure this machine, a few seconds for each model.

    Parameters
    ----------
    shapes : sequence of ModelShape
        Of the models.
    tracker : Tracker
        That makes the labels.
    settings : PitchSettings, optional
        Precision and seed.
    models : mapping of str to Model, optional
        Those that could be opened, by name: their forward pass is run. The others are estimated.
    clips : sequence of Clip
        Of the corpus: up to two that can be read are heard, those of about ten seconds where durations are known.
        Made-up speech without them.
    n_sources : int
        Languages that are trained on: each scores every test clip.
    device : str
        Where models run that could not be opened: ``cpu``, ``cuda`` ...
    threads : int or None
        Of models and linear algebra; None as a run without the option has it.
    folder : Path, optional
        Where the run will stand, for the speed of its disk; the system's temporary folder without it.
    panel : Panel, optional
        Other trackers that are asked whether they agree.

    Returns
    -------
    Speed
        Wall-clock seconds, the least of a few repeats.
    """
    settings, models = settings or PitchSettings(), models or {}
    with threads_for_block(threads):
        heard, read_s = _listen(clips)
        made_up = not heard
        sounds = heard or [made_up_speech(SECONDS, seed=settings.seed)]
        panel = panel or Panel()
        label_s = sum(_label_speed(each, sounds) for each in (tracker, *panel.trackers))
        truth = resample(made_up_speech(SECONDS, seed=settings.seed), tracker.sample_rate)
        tracks = [each.track(resample(truth, each.sample_rate)) for each in (tracker, *panel.trackers)]
        products = products_per_s(device) if any(s.name not in models for s in shapes) else None
        disk = _file_speed(folder)
        rehearsal = Rehearsal(Heard(truth, tracks[0], tuple(tracks[1:]), panel.need), settings, n_sources)
        found: dict[str, ModelSpeed] = {}
        for shape in shapes:
            if shape.name in models:
                forward_s = forward_speed(models[shape.name], sounds)
                said = "made-up speech" if made_up else f"{len(sounds)} clips of the corpus"
                found[shape.name] = rehearsal.speed(shape, forward_s, True, f"measured on {said}")
            else:
                assert products is not None
                forward_s = shape.forward_flops / (EFFICIENCY * products)
                if shape.window_s:
                    forward_s *= -(-SECONDS // shape.window_s) * shape.window_s / SECONDS
                found[shape.name] = rehearsal.speed(
                    shape, forward_s, False, "estimated from its size, within a factor of about 1.5"
                )
    per_s, per_clip = (sum(sizes) for sizes in zip(*map(_label_bytes, tracks), strict=True))
    return Speed(found, label_s, per_s, per_clip, read_s, disk, threads, device)


def made_up_speech(duration_s: float, *, seed: int) -> Waveform:
    """Make a voice that glides, falls silent and hisses, three times a second.

    Parameters
    ----------
    duration_s : float, seconds
        How long.
    seed : int
        Of the noise.

    Returns
    -------
    Waveform
        At 16 kHz.
    """
    rng = seeded_generator(seed, "made-up speech")
    t = np.arange(round(duration_s * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 40 * np.sin(2 * np.pi * 0.7 * t)) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    spoken = np.sin(2 * np.pi * 1.5 * t) > -0.3
    samples = np.where(spoken, 0.1 * voice, 0.0) + 0.003 * rng.normal(size=t.size)
    return Waveform(samples.astype(np.float32), RATE, "made-up speech")


def _listen(clips: Sequence[Clip]) -> tuple[list[Waveform], float]:
    """Read two clips that can be read, and say what a second of them takes."""
    known = sorted((c for c in clips if c.duration_s is not None), key=lambda c: abs((c.duration_s or 0) - SECONDS))
    heard: list[Waveform] = []
    spent = 0.0
    for clip in (*known, *(c for c in clips if c.duration_s is None))[:8]:
        start = time.perf_counter()
        try:
            waveform = clip.read(sample_rate=RATE)
        except DataError:
            continue
        spent += time.perf_counter() - start
        heard.append(waveform)
        if len(heard) == 2:
            break
    return heard, spent / sum(w.duration_s for w in heard) if heard else 0.0


def _label_speed(tracker: Tracker, sounds: Sequence[Waveform]) -> float:
    own = [resample(sound, tracker.sample_rate) for sound in sounds]
    return sum(least_time(lambda w=w: tracker.track(w), 2) for w in own) / sum(w.duration_s for w in own)


def forward_speed(model: Model, waveforms: Sequence[Waveform]) -> float:
    """Time the forward pass of a model.

    Parameters
    ----------
    model : Model
        All its layers are taken.
    waveforms : sequence of Waveform
        What it hears.

    Returns
    -------
    float, seconds
        Per second of audio; the first, cold pass does not count.
    """
    sounds = [resample(w, model.info.sample_rate) for w in waveforms]

    def listen() -> None:
        for sound in sounds:
            for _ in model.layers(sound):
                pass

    listen()
    return least_time(listen, 2) / sum(w.duration_s for w in sounds)


def products_per_s(device: str = "cpu") -> float:
    """Time matrix products as a transformer block of 768 dimensions has them.

    Parameters
    ----------
    device : str
        Where: ``cpu``, ``cuda`` ...

    Returns
    -------
    float
        Multiplications and additions per second, in single precision.
    """
    import torch

    rng = torch.Generator().manual_seed(0)
    pairs = [
        (torch.randn(500, k, generator=rng).to(device), torch.randn(n, k, generator=rng).to(device))
        for k, n in ((768, 768), (768, 3072), (3072, 768))
    ]

    def multiply() -> None:
        for _ in range(5):
            for states, weights in pairs:
                torch.nn.functional.linear(states, weights)
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)

    with torch.no_grad():
        multiply()
        spent = least_time(multiply, 5)
    return 5 * sum(2.0 * s.shape[0] * s.shape[1] * w.shape[0] for s, w in pairs) / spent


def _file_speed(folder: Path | None) -> float:
    at = None if folder is None else next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    array = np.zeros(FILE_FLOATS)
    with contextlib.ExitStack() as stack:
        try:
            where = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=at, prefix=".otoscope-plan-")))
        except OSError:  # not to be written to: the run will say so
            where = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path = where / "speed.safetensors"
        return array.nbytes / least_time(lambda: (write_arrays(path, {"a": array}), read_arrays(path)), 2)


def _label_bytes(track: F0Track) -> tuple[float, float]:
    arrays = {"times": track.times, "f0_hz": track.f0_hz, "voiced": track.voiced}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "label.safetensors"
        write_arrays(
            path, arrays, about={"format": 1, "tracker_digest": "0" * 64, "tracker": track.tracker.describe()}
        )
        header = path.stat().st_size - sum(a.nbytes for a in arrays.values())
    return sum(a.nbytes for a in arrays.values()) / SECONDS, float(header)
