"""Voices whose F0 is known: for tests of F0 trackers, a user's own included.

Glottal pulses go through the formants of vowels, between hisses and pauses, with jitter, shimmer, and noise at a
stated level. The truth is a closed form, evaluated at any time. Three lines judge a tracker::

    answers = voice_set(range(8), snr_db=20)
    scores = pooled(answer.score(tracker.track(answer.waveform)) for answer in answers)
    print(scores.ffe, scores.gpe, scores.bias_cents)

These signals are simpler than speech: nothing creaks, whispers or overlaps. A tracker that fails on them is wrong;
one that passes may still fail on speech.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from otoscope.errors import SpecError
from otoscope.testing.contours import Contour
from otoscope.testing.glottal import VOWELS
from otoscope.testing.speaking import KnownAnswer, NoiseKind, SourceKind, Stretch, speak

__all__ = ["KnownAnswer", "bursts", "glide", "voice_set", "vowels"]

_FADE_S = 0.03  # voice sets in and dies away within a few cycles


def vowels(
    seed: int,
    *,
    duration_s: float = 4.0,
    sample_rate: int = 16_000,
    f0_min_hz: float = 70.0,
    f0_max_hz: float = 380.0,
    jitter_percent: float = 0.7,
    shimmer_percent: float = 3.0,
    snr_db: float | None = 40.0,
    noise: NoiseKind = "white",
) -> KnownAnswer:
    """Make something like speech: five vowels on gliding F0, hisses and pauses, in turn.

    Each seed has a register of its own, drawn evenly in octaves, and glides about it by at most 2 octaves a second.
    Two thirds of the time are voiced. The noise 40 dB below the voice is that of a good recording; digital silence,
    which some trackers stumble over, comes with ``snr_db=None``.

    Parameters
    ----------
    seed : int, >= 0
        Equal seeds give equal signals; the same seed at another level of noise gives the same voice.
    duration_s : float, >= 1, seconds
        The length.
    sample_rate : int, >= 8000, hertz
        Samples per second.
    f0_min_hz, f0_max_hz : float, hertz
        What F0 stays between.
    jitter_percent, shimmer_percent : float, 0 to 50
        Of the periods and of the amplitudes, from cycle to cycle; see :func:`~otoscope.testing.speaking.speak`.
    snr_db : float or None, dB
        Power of the voice where there is voice above that of the noise; None for no noise at all.
    noise : {"white", "speech"}
        White; or flat up to 500 Hz and falling by 9 dB per octave from there.

    Returns
    -------
    KnownAnswer
        The signal and all that is known of it.

    Raises
    ------
    SpecError
        If a setting cannot be.

    Examples
    --------
    >>> answer = vowels(0)
    >>> bool(answer.voiced(0.0)), answer.onsets_s.size
    (False, 4)
    """
    name = f"vowels-{seed}"
    if not 1 <= duration_s < np.inf:
        raise SpecError(f"{name}: duration_s is {duration_s:g}; 1 s or more is accepted")
    if not 20 <= f0_min_hz < f0_max_hz < np.inf:
        raise SpecError(
            f"{name}: f0_min_hz is {f0_min_hz:g} and f0_max_hz {f0_max_hz:g}; 20 <= f0_min_hz < f0_max_hz is accepted"
        )
    rng = np.random.default_rng([seed, 1_000])
    bottom, top = np.log2(f0_min_hz), np.log2(f0_max_hz)
    register = rng.uniform(bottom + 0.2 * (top - bottom), top - 0.2 * (top - bottom))
    stretches: list[Stretch] = []
    hisses: list[tuple[float, float]] = []
    now = rng.uniform(0.10, 0.20)
    while now < duration_s - 0.35:
        end = min(now + rng.uniform(0.25, 0.90), duration_s - 0.10)
        knots = np.linspace(now, end, int(rng.integers(2, 5)))
        heights = [rng.uniform(-0.5, 0.5)]
        for step in np.diff(knots):
            heights.append(float(np.clip(rng.uniform(-0.5, 0.5), heights[-1] - 2 * step, heights[-1] + 2 * step)))
        hz = 2.0 ** np.clip(register + np.array(heights), bottom, top)
        contour = Contour(tuple(knots.tolist()), tuple(hz.tolist()))
        stretches.append(
            Stretch(contour=contour, vowel=str(rng.choice(list(VOWELS))), rd=float(rng.uniform(0.5, 1.7)))
        )
        now = end
        if rng.random() < 0.5 and now + 0.15 < duration_s:
            length = rng.uniform(0.06, 0.13)
            hisses.append((now + 0.01, now + 0.01 + length))
            now += 0.02 + length
        now += rng.uniform(0.10, 0.35)
    return speak(
        stretches,
        name=name,
        duration_s=duration_s,
        sample_rate=sample_rate,
        hisses_s=hisses,
        jitter_percent=jitter_percent,
        shimmer_percent=shimmer_percent,
        fade_s=_FADE_S,
        snr_db=snr_db,
        noise=noise,
        seed=seed,
    )


def glide(
    start_hz: float,
    *,
    end_hz: float,
    duration_s: float = 1.0,
    sample_rate: int = 16_000,
    source: SourceKind = "flat",
    vowel: str | None = None,
    jitter_percent: float = 0.0,
    shimmer_percent: float = 0.0,
    snr_db: float | None = None,
    noise: NoiseKind = "white",
    seed: int = 0,
) -> KnownAnswer:
    """Make a voice that glides from one F0 to another throughout, up or down.

    A tracker that is too high on the rising and too low on the falling glide has a clock error; one that is too high
    on both is biased. Formants delay what trackers hear by 1 to 2 ms, the flat source does not.

    Parameters
    ----------
    start_hz, end_hz : float, hertz
        F0 at the beginning and at the end; equal ones give a tone.
    duration_s : float, seconds
        The length.
    sample_rate : int, >= 8000, hertz
        Samples per second.
    source : {"lf", "flat", "soft"}
        As in :func:`~otoscope.testing.speaking.speak`.
    vowel : str or None
        One of a, e, i, o, u for the source "lf"; None for the source alone.
    jitter_percent, shimmer_percent : float, 0 to 50
        As in :func:`vowels`; only for the source "lf".
    snr_db : float or None, dB
        As in :func:`vowels`.
    noise : {"white", "speech"}
        As in :func:`vowels`.
    seed : int, >= 0
        Of jitter, shimmer and noise.

    Returns
    -------
    KnownAnswer
        The signal and all that is known of it.

    Raises
    ------
    SpecError
        If a setting cannot be.

    Examples
    --------
    >>> glide(100.0, end_hz=400.0, duration_s=2.0).true_hz([0.0, 1.0]).round(6).tolist()
    [100.0, 200.0]
    """
    contour = Contour((0.0, duration_s), (start_hz, end_hz))
    return speak(
        [Stretch(contour=contour, vowel=vowel)],
        name=f"tone-{start_hz:g}" if start_hz == end_hz else f"glide-{start_hz:g}-{end_hz:g}",
        duration_s=duration_s,
        sample_rate=sample_rate,
        source=source,
        jitter_percent=jitter_percent,
        shimmer_percent=shimmer_percent,
        snr_db=snr_db,
        noise=noise,
        seed=seed,
    )


def bursts(
    seed: int,
    *,
    duration_s: float = 4.0,
    sample_rate: int = 16_000,
    vowel: str | None = "a",
    burst_s: float = 0.25,
    jitter_percent: float = 0.0,
    shimmer_percent: float = 0.0,
    snr_db: float | None = None,
    noise: NoiseKind = "white",
) -> KnownAnswer:
    """Make short vowels of level F0 between pauses: for onsets and offsets.

    Parameters
    ----------
    seed : int, >= 0
        Equal seeds give equal signals. F0 lies between 90 and 300 Hz, pauses between 0.15 and 0.25 s.
    duration_s : float, >= 1, seconds
        The length.
    sample_rate : int, >= 8000, hertz
        Samples per second.
    vowel : str or None
        One of a, e, i, o, u; None for the source alone.
    burst_s : float, 0.05 to 0.5, seconds
        How long each lasts; the last cycle that is whole ends it.
    jitter_percent, shimmer_percent : float, 0 to 50
        As in :func:`vowels`.
    snr_db : float or None, dB
        As in :func:`vowels`.
    noise : {"white", "speech"}
        As in :func:`vowels`.

    Returns
    -------
    KnownAnswer
        The signal and all that is known of it.

    Raises
    ------
    SpecError
        If a setting cannot be.

    Examples
    --------
    >>> bursts(0).onsets_s.size
    8
    """
    name = f"bursts-{seed}"
    if not 1 <= duration_s < np.inf or not 0.05 <= burst_s <= 0.5:
        raise SpecError(
            f"{name}: duration_s is {duration_s:g} and burst_s {burst_s:g}; 1 s or more, and 0.05 to 0.5 s, "
            "are accepted"
        )
    rng = np.random.default_rng([seed, 1_001])
    stretches: list[Stretch] = []
    now = rng.uniform(0.15, 0.25)
    while now + burst_s < duration_s - 0.1:
        hz = float(90.0 * (300.0 / 90.0) ** rng.random())
        stretches.append(Stretch(contour=Contour((now, now + burst_s), (hz, hz)), vowel=vowel))
        now += burst_s + rng.uniform(0.15, 0.25)
    return speak(
        stretches,
        name=name,
        duration_s=duration_s,
        sample_rate=sample_rate,
        jitter_percent=jitter_percent,
        shimmer_percent=shimmer_percent,
        snr_db=snr_db,
        noise=noise,
        seed=seed,
    )


def voice_set(
    seeds: Iterable[int],
    *,
    duration_s: float = 4.0,
    sample_rate: int = 16_000,
    jitter_percent: float = 0.7,
    shimmer_percent: float = 3.0,
    snr_db: float | None = 40.0,
    noise: NoiseKind = "white",
) -> tuple[KnownAnswer, ...]:
    """Make a set of voices, one for each seed, for the scores of a tracker.

    Whoever tunes a tracker on some seeds tests it on others.

    Parameters
    ----------
    seeds : iterable of int
        Such as ``range(8)``.
    duration_s : float, >= 1, seconds
        The length of each.
    sample_rate : int, >= 8000, hertz
        Samples per second.
    jitter_percent, shimmer_percent : float, 0 to 50
        Of the periods and of the amplitudes, from cycle to cycle; see :func:`~otoscope.testing.speaking.speak`.
    snr_db : float or None, dB
        Power of the voice where there is voice above that of the noise; None for no noise at all.
    noise : {"white", "speech"}
        White; or flat up to 500 Hz and falling by 9 dB per octave from there.

    Returns
    -------
    tuple of KnownAnswer
        In the order of the seeds.

    Examples
    --------
    >>> from otoscope.f0.kaldi import KaldiTracker
    >>> from otoscope.f0.scoring import pooled
    >>> tracker = KaldiTracker()
    >>> scores = pooled(answer.score(tracker.track(answer.waveform)) for answer in voice_set(range(2)))
    >>> scores.ffe < 0.05
    True
    """
    return tuple(
        vowels(
            seed,
            duration_s=duration_s,
            sample_rate=sample_rate,
            jitter_percent=jitter_percent,
            shimmer_percent=shimmer_percent,
            snr_db=snr_db,
            noise=noise,
        )
        for seed in seeds
    )
