"""Speak sentences with espeak-ng, in a process of its own.

Run as a script, never imported: the library keeps hidden state from one sentence to the next, so the same sentence
spoken after another one is not the same sound. A process that speaks one list of sentences from the start makes
the sound a function of that list alone. A crash of the library is the crash of this process only.

In: one JSON object on standard input, with `library`, `data` (its folder) and `sentences`, each a list of the
text, the voice, the rate in words per minute, the pitch and the pitch range (0 to 99).

Out: on standard output one line of JSON with `sample_rate` and `version`, then for each sentence the number of
samples (8 bytes) and the samples (2 bytes each), little-endian.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from array import array

SYNCHRONOUS, DO_NOT_EXIT, UTF8 = 2, 0x8000, 1
RATE, VOLUME, PITCH, RANGE, CAPITALS = 1, 2, 3, 4, 6
SEED = 1
QUIETER_VOLUME = 65  # of 100, at which some sentences are clipped


def main() -> None:
    """Read the sentences, speak them, write the samples."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints does not belong among the samples
    job = json.load(sys.stdin.buffer)
    library = ctypes.CDLL(job["library"])
    callback_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    spoken = bytearray()

    def keep(samples: ctypes._Pointer[ctypes.c_short], n_samples: int, _events: int) -> int:
        if samples and n_samples > 0:
            spoken.extend(ctypes.string_at(samples, 2 * n_samples))
        return 0

    callback = callback_type(keep)
    sample_rate = library.espeak_Initialize(SYNCHRONOUS, 0, os.fsencode(job["data"]), DO_NOT_EXIT)
    if sample_rate <= 0:
        sys.exit(f"espeak-ng does not start with the data in {job['data']}")
    library.espeak_ng_SetRandSeed(ctypes.c_long(SEED))  # it would be the time of day
    library.espeak_SetSynthCallback(callback)
    library.espeak_Info.restype = ctypes.c_char_p
    version = library.espeak_Info(None).decode().split()[0]
    out.write(json.dumps({"sample_rate": sample_rate, "version": version}).encode() + b"\n")
    for text, voice, rate, pitch, pitch_range in job["sentences"]:
        spoken.clear()
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            sys.exit(f"espeak-ng has no voice {voice}")
        settings = ((RATE, rate), (VOLUME, QUIETER_VOLUME), (PITCH, pitch), (RANGE, pitch_range), (CAPITALS, 0))
        for parameter, value in settings:
            library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode() + b"\0"
        status = library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded)), 0, 1, 0, UTF8, None, None)
        if status != 0:
            sys.exit(f"espeak-ng gave status {status} for voice {voice}: {text}")
        library.espeak_Synchronize()
        samples = array("h", bytes(spoken))
        if sys.byteorder == "big":
            samples.byteswap()
        out.write(len(samples).to_bytes(8, "little") + samples.tobytes())
    out.close()


if __name__ == "__main__":
    main()
