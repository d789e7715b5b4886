"""``otoscope f0 synth``: sounds whose F0 is known, and contours made audible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otoscope.cli.shared import JsonFlag, counted, print_json
from otoscope.errors import SpecError

if TYPE_CHECKING:
    from otoscope.audio import Waveform
    from otoscope.testing.voices import KnownAnswer

__all__ = ["synth"]

KINDS = ("vowels", "glide", "tone", "onsets")
TRUTH_HOP_S = 0.005
_FULL = 0.99  # what 16 bits hold, with a margin


def synth(
    contour: Annotated[
        Path | None,
        typer.Argument(
            metavar="[TRACK.csv]",
            help="F0 to be made audible: a table with time_s and f0_hz, as `otoscope f0 track` writes. Without it, "
            "signals with known F0 are made.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A folder, gets NAME.wav and NAME.csv; of a TRACK.csv, the sound file (.wav)."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="vowels (glides, hisses, pauses), glide, tone, or onsets (bursts between pauses).",
            show_default="vowels",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of the first signal.", show_default="0")] = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="How many, with a seed each.", show_default="1")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="How long each lasts.", show_default="4; a TRACK.csv's own")
    ] = None,
    rate: Annotated[int, typer.Option("--rate", help="Samples per second, 8000 or more.")] = 16_000,
    snr_db: Annotated[
        float | None,
        typer.Option("--snr-db", help="Power of the voice above the noise.", show_default="40 for vowels, else none"),
    ] = None,
    noise: Annotated[
        str | None, typer.Option("--noise", help="white, or speech (falls like speech).", show_default="white")
    ] = None,
    jitter: Annotated[
        float | None,
        typer.Option("--jitter", help="Per cent, from cycle to cycle.", show_default="0.7 for vowels, else 0"),
    ] = None,
    shimmer: Annotated[
        float | None,
        typer.Option("--shimmer", help="Per cent, from cycle to cycle.", show_default="3 for vowels, else 0"),
    ] = None,
    hz: Annotated[
        str | None,
        typer.Option("--hz", help="F0 of a tone, or both ends of a glide: 100-400.", show_default="200; 100-200"),
    ] = None,
    voice: Annotated[
        str | None,
        typer.Option(
            "--voice",
            help="How it sounds: a, e, i, o, u, pulses, flat (harmonics equally strong) or soft. Not with "
            "--kind vowels, which draws them.",
            show_default="flat for glide and tone; a for onsets; soft for TRACK.csv",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make sounds whose F0 is known, with a table of it; or make a table of F0 audible."""
    if out is None:
        raise SpecError("f0 synth: give --out, a folder, or for a TRACK.csv the sound file to write")
    if contour is not None:
        given = {
            "--kind": kind,
            "--seed": seed,
            "--count": count,
            "--snr-db": snr_db,
            "--noise": noise,
            "--jitter": jitter,
            "--shimmer": shimmer,
            "--hz": hz,
        }
        wrong = [name for name, value in given.items() if value is not None]
        if wrong:
            raise SpecError(
                f"f0 synth {contour}: {', '.join(wrong)} cannot go with a TRACK.csv; leave out one or other"
            )
        said = [_resound(contour, out, seconds, rate, voice or "soft")]
    else:
        options: dict[str, Any] = {
            "jitter_percent": jitter,
            "shimmer_percent": shimmer,
            "snr_db": snr_db,
            "noise": noise,
            "duration_s": seconds,
        }
        options = {name: value for name, value in options.items() if value is not None}
        said = _make(kind or "vowels", out, seed or 0, count or 1, rate, hz, voice, options)
    if as_json:
        print_json(said)
        return
    for entry in said:
        limit = f", made {-entry['gain_db']:.1f} dB softer to fit 16 bits" if entry["gain_db"] < 0 else ""
        typer.echo(
            f"{entry['wav']}: {entry['duration_s']:g} s at {entry['sample_rate']} Hz, "
            f"{100 * entry['voiced_share']:.0f} % voiced{limit}"
        )
    if contour is None:
        typer.echo(f"{counted(len(said), 'table')} of the true F0 every {1000 * TRUTH_HOP_S:g} ms beside")


def _make(
    kind: str, out: Path, seed: int, count: int, rate: int, hz: str | None, voice: str | None, options: dict[str, Any]
) -> list[dict[str, Any]]:
    if kind not in KINDS:
        raise SpecError(f"--kind {kind!r}: choose from {', '.join(KINDS)}")
    if hz is not None and kind not in ("glide", "tone"):
        raise SpecError(f"--hz {hz}: {kind} draw their F0 from the seed; only glide and tone take one")
    if voice is not None and kind == "vowels":
        raise SpecError(f"--voice {voice}: --kind vowels draws vowels from the seed; leave one of the two out")
    if out.suffix.lower() in (".wav", ".csv") and not out.is_dir():
        raise SpecError(f"--out {out}: a folder is needed for the sounds and their tables")
    said: list[dict[str, Any]] = []
    for number in range(seed, seed + count):
        answer = _answer(kind, number, rate, hz, voice, options)
        name = answer.name if kind not in ("glide", "tone") or count == 1 else f"{answer.name}-{number}"
        entry = _write(answer.waveform, out / f"{name}.wav", float(answer.voiced(_times(answer)).mean()))
        _write_truth(answer, out / f"{name}.csv")
        said.append(
            {
                "name": name,
                **entry,
                "csv": str(out / f"{name}.csv"),
                "kind": kind,
                "seed": number,
                "snr_db": answer.snr_db,
                "onsets_s": answer.onsets_s.tolist(),
                "offsets_s": answer.offsets_s.tolist(),
            }
        )
    return said


def _answer(
    kind: str, seed: int, rate: int, hz: str | None, voice: str | None, options: dict[str, Any]
) -> KnownAnswer:
    from otoscope.testing.glottal import VOWELS
    from otoscope.testing.voices import bursts, glide, vowels

    if voice not in (None, "flat", "soft", "pulses", *VOWELS):
        raise SpecError(f"--voice {voice!r}: choose from {', '.join((*VOWELS, 'pulses', 'flat', 'soft'))}")
    options = {"duration_s": 4.0, "sample_rate": rate, **options}
    if kind == "vowels":
        return vowels(seed, **options)
    if kind == "onsets":
        if voice in ("flat", "soft"):
            raise SpecError(
                f"--voice {voice}: onsets are made of pulses; choose from {', '.join((*VOWELS, 'pulses'))}"
            )
        return bursts(seed, vowel=None if voice == "pulses" else voice or "a", **options)
    start_hz, end_hz = _ends(hz, kind)
    source = voice if voice in ("flat", "soft") else "lf"
    return glide(
        start_hz,
        end_hz=end_hz,
        source="flat" if voice is None else source,
        vowel=voice if voice in VOWELS else None,
        seed=seed,
        **options,
    )


def _ends(hz: str | None, kind: str) -> tuple[float, float]:
    """Read one F0, or two with a dash between, in hertz."""
    text = hz or ("200" if kind == "tone" else "100-200")
    parts = text.split("-")
    try:
        ends = [float(part) for part in parts]
    except ValueError:
        ends = []
    if len(ends) != (1 if kind == "tone" else 2):
        wanted = "one F0, as 200" if kind == "tone" else "two with a dash between, as 100-400"
        raise SpecError(f"--hz {text!r}: a {kind} takes {wanted}")
    return ends[0], ends[-1]


def _resound(contour: Path, out: Path, seconds: float | None, rate: int, voice: str) -> dict[str, Any]:
    from otoscope.testing.sonification import read_contour, sonify

    if out.is_dir() or out.suffix.lower() != ".wav":
        raise SpecError(f"--out {out}: name the sound file, ending with .wav")
    table = read_contour(contour)
    sound = sonify(table, sound=voice, duration_s=seconds, sample_rate=rate, name=contour.stem)
    return {"name": contour.stem, **_write(sound, out, float(table.voiced.mean())), "csv": str(contour)}


def _times(answer: KnownAnswer) -> Any:
    import numpy as np

    return np.arange(int(np.ceil(answer.waveform.duration_s / TRUTH_HOP_S - 1e-6))) * TRUTH_HOP_S


def _write_truth(answer: KnownAnswer, path: Path) -> None:
    from otoscope.store import write_text

    times = _times(answer)
    lines = [
        f"{time:.3f},{f'{f0_hz:.4f}' if voiced else ''},{'true' if voiced else 'false'}"
        for time, f0_hz, voiced in zip(times, answer.true_hz(times), answer.voiced(times), strict=True)
    ]
    write_text(path, "\n".join(["time_s,f0_hz,voiced", *lines]) + "\n")


def _write(waveform: Waveform, path: Path, voiced_share: float) -> dict[str, Any]:
    """Write 16 bits, softer where they would not hold the peaks, and say what was written."""
    import numpy as np
    import soundfile

    from otoscope.store import atomic_path

    peak = float(np.abs(waveform.samples).max(initial=0.0))
    gain = min(1.0, _FULL / peak) if peak else 1.0
    whole = np.round(waveform.samples.astype(np.float64) * (gain * 2**15)).astype(np.int16)
    with atomic_path(path) as part:
        soundfile.write(part, whole, waveform.sample_rate, format="WAV", subtype="PCM_16")
    return {
        "wav": str(path),
        "duration_s": waveform.duration_s,
        "sample_rate": waveform.sample_rate,
        "n_samples": waveform.samples.size,
        "voiced_share": voiced_share,
        "gain_db": 20 * float(np.log10(gain)),
    }
