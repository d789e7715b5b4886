"""Who says what in the espeak demo corpus: languages, voices, sentences and their splits, all drawn from one seed."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from otoscope.corpora.base import SPLITS, Split
from otoscope.corpora.layout import Gender

__all__ = ["SUPPORTED", "Reading", "Voice", "readings_of", "sentence_key", "sentence_split", "voices_of"]

T = TypeVar("T")
BLOCK: tuple[Split, ...] = ("train", "train", "dev", "test", "test")  # of any five sentences in a row

_SPOKEN = """
    en_us en_Latn en-us  cmn_hans_cn zh_Hans cmn  hi_in hi_Deva hi  nb_no nb_Latn nb
    vi_vn vi_Latn vi  tr_tr tr_Latn tr  ja_jp ja_Hira ja  sw_ke sw_Latn sw
    pl_pl pl_Latn pl  th_th th_Thai th  lv_lv lv_Latn lv  ta_in ta_Taml ta
    yue_hant_hk yue_Hant yue  sl_si sl_Latn sl  ru_ru ru_Cyrl ru  fa_ir fa_Arab fa
    am_et am_Ethi am  id_id id_Latn id  es_419 es_Latn es-419  te_in te_Telu te
    ko_kr ko_Kore ko  hr_hr hr_Latn hr  pa_in pa_Guru pa  om_et om_Latn om
    af_za af_Latn af  ar_eg ar_Arab ar  az_az az_Latn az  be_by be_Cyrl be
    bg_bg bg_Cyrl bg  bn_in bn_Beng bn  bs_ba bs_Latn bs  ca_es ca_Latn ca
    cs_cz cs_Latn cs  cy_gb cy_Latn cy  da_dk da_Latn da  et_ee et_Latn et
    fi_fi fi_Latn fi  fr_fr fr_Latn fr  ga_ie ga_Latn ga  gu_in gu_Gujr gu
    he_il he_Hebr he  hu_hu hu_Latn hu  hy_am hy_Armn hy  is_is is_Latn is
    it_it it_Latn it  ka_ge ka_Geor ka  kk_kz kk_Cyrl kk  kn_in kn_Knda kn
    ky_kg ky_Cyrl ky  lb_lu lb_Latn lb  lt_lt lt_Latn lt  mi_nz mi_Latn mi
    mk_mk mk_Cyrl mk  ml_in ml_Mlym ml  mr_in mr_Deva mr  mt_mt mt_Latn mt
    ne_np ne_Deva ne  nl_nl nl_Latn nl  ro_ro ro_Latn ro  sk_sk sk_Latn sk
    sr_rs sr_Cyrl sr  sv_se sv_Latn sv  uk_ua uk_Cyrl uk  ur_pk ur_Arab ur
    uz_uz uz_Latn uz
"""
_WORDS = _SPOKEN.split()
SUPPORTED: Mapping[str, tuple[str, str]] = {
    code: (text_id, name) for code, text_id, name in zip(_WORDS[::3], _WORDS[1::3], _WORDS[2::3], strict=True)
}
"""By FLEURS code: the text of gflanguages and the language of espeak-ng.

The first twelve are of all seven regions; three of them are tonal, three have a pitch accent. The next twelve double
what is there. Left out are languages that espeak-ng does not speak (or not without crashing: Burmese), and those
of which there is too little text (German, Portuguese ...).
"""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice: a timbre with its own pitch, range and rate.

    Parameters
    ----------
    name : str
        The variant of espeak-ng, which is its timbre.
    gender : {"FEMALE", "MALE"}
        How it sounds.
    pitch, pitch_range : int, 0 to 99
        Height of the voice, and how far its melody goes, in espeak-ng's own units.
    rate : int, words per minute
        How fast it speaks.
    """

    name: str
    gender: Gender
    pitch: int
    pitch_range: int
    rate: int

    def describe(self) -> dict[str, object]:
        """Give it as a JSON value.

        Returns
        -------
        dict
            The five fields.
        """
        return {
            "name": self.name,
            "gender": self.gender,
            "pitch": self.pitch,
            "pitch_range": self.pitch_range,
            "rate": self.rate,
        }


FEMALE = ("f1", "f2", "f3", "f4", "f5", "Alicia", "Annie", "grandma", "shelby", "steph")
MALE = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Nguyen", "Denis")
VOICES_PER_GENDER: Mapping[Split, int] = {"train": 4, "dev": 2, "test": 4}


def sentence_key(index: int) -> str:
    """Give the value of the group key `sentence`.

    Parameters
    ----------
    index : int, >= 0
        The place of the sentence in its text.

    Returns
    -------
    str
        Such as ``s07``.
    """
    return f"s{index:02d}"


def _number(*key: object) -> int:
    """Draw a number below 2^64 for a key: the same on every machine, with every version of everything."""
    return int.from_bytes(hashlib.sha256(json.dumps(key).encode()).digest()[:8], "big")


def _shuffled(items: Iterable[T], *key: object) -> list[T]:
    return sorted(items, key=lambda item: _number(*key, item))


def sentence_split(index: int, seed: int) -> Split:
    """Say in which split a sentence is, in every language.

    Parameters
    ----------
    index : int, >= 0
        Its place in the text.
    seed : int
        Of the corpus.

    Returns
    -------
    {"train", "dev", "test"}
        Of every five sentences in a row from 0, 5, 10 ..., two are train, one is dev and two are test, so that
        any 20 from the beginning hold 8 test sentences.
    """
    block, place = divmod(index, len(BLOCK))
    order = _shuffled(range(len(BLOCK)), "sentences", seed, block)
    return BLOCK[order[place]]


@functools.cache
def voices_of(seed: int) -> Mapping[Split, tuple[Voice, ...]]:
    """Give the voices of each split.

    Parameters
    ----------
    seed : int
        Of the corpus.

    Returns
    -------
    mapping of split to tuple of Voice
        As many female as male ones in each, in turn.
    """
    chosen: dict[Split, list[Voice]] = {split: [] for split in SPLITS}
    by_gender: list[list[Voice]] = []
    genders: tuple[tuple[Gender, Sequence[str]], ...] = (("FEMALE", FEMALE), ("MALE", MALE))
    for gender, names in genders:
        by_gender.append([_voice(name, gender, seed) for name in _shuffled(names, "voices", seed)])
    start = 0
    for split, n_voices in VOICES_PER_GENDER.items():
        for pair in zip(*(voices[start : start + n_voices] for voices in by_gender), strict=True):
            chosen[split].extend(pair)
        start += n_voices
    return {split: tuple(voices) for split, voices in chosen.items()}


def _voice(name: str, gender: Gender, seed: int) -> Voice:
    def draw(what: str, least: int, most: int) -> int:
        return least + _number(what, seed, name) % (most - least + 1)

    return Voice(
        name,
        gender,
        pitch=draw("pitch", 40, 60) if gender == "FEMALE" else draw("pitch", 48, 72),
        pitch_range=draw("range", 45, 75),
        rate=draw("rate", 160, 190),
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """One sentence spoken by one voice.

    Parameters
    ----------
    index : int, >= 0
        The place of the sentence in its text.
    text : str
        The sentence.
    voice : Voice
        Who speaks.
    split : {"train", "dev", "test"}
        The split of both.
    """

    index: int
    text: str
    voice: Voice
    split: Split

    @property
    def file_name(self) -> str:
        """Give the name of its file.

        Returns
        -------
        str
            Such as ``s07-f3.wav``.
        """
        return f"{sentence_key(self.index)}-{self.voice.name}.wav"


def readings_of(code: str, sentences: Sequence[str], seed: int) -> Iterator[Reading]:
    """Say who speaks what in a language.

    Parameters
    ----------
    code : str
        The language.
    sentences : sequence of str
        Its sentences, in reading order.
    seed : int
        Of the corpus.

    Yields
    ------
    Reading
        Each sentence of train is spoken by one voice or, in turn, by two; others by one. The voices of a split
        take turns, in an order of the language's own.
    """
    by_name = {voice.name: voice for of_split in voices_of(seed).values() for voice in of_split}
    names = {split: [voice.name for voice in voices] for split, voices in voices_of(seed).items()}
    voices = {split: [by_name[name] for name in _shuffled(names[split], "turns", seed, code)] for split in SPLITS}
    turn = dict.fromkeys(SPLITS, 0)
    n_train = 0
    for index, text in enumerate(sentences):
        split = sentence_split(index, seed)
        n_voices = 1
        if split == "train":
            n_voices = 1 + n_train % 2
            n_train += 1
        for _ in range(n_voices):
            voice = voices[split][turn[split] % len(voices[split])]
            turn[split] += 1
            yield Reading(index, text, voice, split)
