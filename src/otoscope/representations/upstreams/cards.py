"""What is known of checkpoints that people use, before one is fetched.

The weights of none of these could be fetched where this table was made: sizes, clocks and levels come from papers,
from pages of the hub, or from counting the weights of a network with the published sizes; :attr:`Card.source` says
which, and :attr:`Card.unverified` what nobody has held against the files themselves. When a checkpoint is opened, its
own files decide; of the card only what no file says is used: the languages that the model has heard.

**Languages.** A language counts as heard where the named source lists it among the training data, in any amount, with
or without transcripts. Codes are those of FLEURS; languages that FLEURS lacks are left out. Kurmanji is not the
Sorani of FLEURS.

References
----------
XLSR-53: the list in the README of its release (fairseq, examples/wav2vec), three corpora together. XLS-R: the
languages on its page on the hub, from arXiv 2111.09296. Whisper: the language tokens of its tokenizer; their number,
99, is that of the model card (English and 98 others). MMS (arXiv 2305.13516) names 1,406 languages in a list that was
not to be had.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from otoscope.corpora.languages import languages
from otoscope.frames import FrameGrid

__all__ = ["CARDS", "Card", "find"]

_RATE = 16_000
_STACK = FrameGrid(_RATE, hop=320, receptive_field=400)
_SQUEEZED = FrameGrid(_RATE, hop=640, receptive_field=720)
_WHISPER = FrameGrid(_RATE, hop=320, receptive_field=1040, start=-520)
_HUB_PAGE = "its page on the hub"
_COUNTED = "weights counted from the published sizes"


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of one checkpoint.

    Parameters
    ----------
    name : str
        On the hub.
    model_type : str
        As in its ``config.json``.
    n_layers : int, > 0
        Blocks.
    dim : int, > 0
        Of a state.
    parameters_m : float, millions
        Weights of the part that hears: no decoder, no heads, no quantiser.
    grid : FrameGrid
        The clock of every layer.
    normalize : bool or None
        Whether its card asks for clips of mean 0 and variance 1; None where that is not known, or where it is no
        question for this kind.
    licence : str
        As the hub or the authors say, or where to look.
    data : str
        What it was trained on, in words.
    heard : tuple of str or None
        FLEURS codes of the languages in that data, sorted; None where they are not known.
    source : str
        Where all this was read.
    unverified : str
        What was not read in a primary source; empty where everything was.
    remark : str
        What a user should know beside it.
    """

    name: str
    model_type: str
    n_layers: int
    dim: int
    parameters_m: float
    grid: FrameGrid
    normalize: bool | None
    licence: str
    data: str
    heard: tuple[str, ...] | None
    source: str
    unverified: str = ""
    remark: str = ""

    def describe(self) -> dict[str, object]:
        """Give all of it as a JSON value.

        Returns
        -------
        dict
            The clock as its numbers.
        """
        return {
            "name": self.name,
            "model_type": self.model_type,
            "n_layers": self.n_layers,
            "dim": self.dim,
            "parameters_m": self.parameters_m,
            "sample_rate": self.grid.sample_rate,
            "hop": self.grid.hop,
            "receptive_field": self.grid.receptive_field,
            "start": self.grid.start,
            "normalize": self.normalize,
            "licence": self.licence,
            "data": self.data,
            "heard": None if self.heard is None else list(self.heard),
            "source": self.source,
            "unverified": self.unverified,
            "remark": self.remark,
        }


def _codes(text: str) -> tuple[str, ...]:
    """Give the FLEURS codes for their first parts."""
    full = {code.split("_")[0]: code for code in languages()}
    return tuple(sorted(full[part] for part in text.split()))


ENGLISH = ("en_us",)
_XLSR_53 = _codes(
    "nl en fr de it pl pt es "  # Multilingual LibriSpeech
    "ar cmn yue et id ga ja ky lv mn fa ru sl sv ta tr cy "  # Common Voice
    "as bn ceb ka kk lo ps sw fil vi zu"  # BABEL
)
_XLS_R = _codes(
    "af am ar as az be bg bn bs ca ceb cmn cs cy da de el en es et fa fi fil fr ga gl gu ha he hi hr hu hy id is it "
    "ja jv ka kk km kn ko ky lb lg ln lo lt lv mi mk ml mn mr ms mt my nb ne nl oc or pa pl ps pt ro ru sd sk sl sn "
    "so sr sv sw ta te tg th tr uk ur uz vi yo yue zu"
)
_WHISPER_HEARD = _codes(
    "af am ar as az be bg bn bs ca cmn cs cy da de el en es et fa fi fil fr gl gu ha he hi hr hu hy id is it ja jv "
    "ka kk km kn ko lb ln lo lt lv mi mk ml mn mr ms mt my nb ne nl oc pa pl ps pt ro ru sd sk sl sn so sr sv sw ta "
    "te tg th tr uk ur uz vi yo"
)

_LIBRISPEECH = "960 h of LibriSpeech: read English"
_LIBRILIGHT = "60,000 h of Libri-Light: read English"
_MIXED = "60,000 h of Libri-Light, 10,000 h of GigaSpeech, 24,000 h of VoxPopuli: English"
_APACHE = "apache-2.0"
_NOT_NAMED = "see the model card"
_UNTRAINED_LEVEL = (
    "trained without normalised waveforms (fairseq), while its card asks for them; normalize=off repeats the training"
)

_HUBERT = Card(
    "facebook/hubert-base-ls960",
    "hubert",
    12,
    768,
    94.4,
    _STACK,
    True,
    _APACHE,
    _LIBRISPEECH,
    ENGLISH,
    f"arXiv 2106.07447; {_HUB_PAGE}; {_COUNTED}",
    "normalize: from copies of its card",
    _UNTRAINED_LEVEL,
)
_HUBERT_LARGE = replace(
    _HUBERT,
    name="facebook/hubert-large-ll60k",
    n_layers=24,
    dim=1024,
    parameters_m=315.4,
    data=_LIBRILIGHT,
    unverified="normalize, licence: from copies of its card",
    remark="",
)
_WAV2VEC2 = replace(
    _HUBERT,
    name="facebook/wav2vec2-base",
    model_type="wav2vec2",
    source=f"arXiv 2006.11477; {_HUB_PAGE}; {_COUNTED}",
)
_LV60 = replace(
    _WAV2VEC2,
    name="facebook/wav2vec2-large-lv60",
    n_layers=24,
    dim=1024,
    parameters_m=315.4,
    data=_LIBRILIGHT,
    remark="",
)
_XLSR_CARD = replace(
    _LV60,
    name="facebook/wav2vec2-large-xlsr-53",
    data="56,000 h in 53 languages: Multilingual LibriSpeech, Common Voice, BABEL",
    heard=_XLSR_53,
    source=f"arXiv 2006.13979; the README of its release; {_COUNTED}",
)
_XLS_R_CARD = replace(
    _XLSR_CARD,
    name="facebook/wav2vec2-xls-r-300m",
    data="436,000 h in 128 languages: VoxPopuli, Multilingual LibriSpeech, Common Voice, VoxLingua107, BABEL",
    heard=_XLS_R,
    source=f"arXiv 2111.09296; {_HUB_PAGE}; {_COUNTED}",
    unverified="normalize: from copies of its card; heard: its page's list from memory, held against its corpora",
)
_MMS = replace(
    _XLS_R_CARD,
    name="facebook/mms-300m",
    normalize=None,
    licence="cc-by-nc-4.0",
    data="491,000 h in 1,406 languages",
    heard=None,
    source=f"arXiv 2305.13516; the README of its release; {_COUNTED}",
    unverified="hours; normalize and the list of languages are not known here",
    remark="its list of languages holds more of FLEURS than that of XLS-R; name them with heard=",
)
_WAVLM = replace(
    _HUBERT,
    name="microsoft/wavlm-base",
    model_type="wavlm",
    normalize=None,
    licence="MIT (the authors' release)",
    source=f"arXiv 2110.13900; {_HUB_PAGE}; torchaudio's pipelines; {_COUNTED}",
    unverified="normalize is not known here",
    remark="",
)
_SAT = replace(
    _WAVLM,
    name="microsoft/unispeech-sat-base",
    model_type="unispeech-sat",
    licence=_NOT_NAMED,
    source=f"arXiv 2110.05752; {_HUB_PAGE}; {_COUNTED}",
)
_DATA2VEC = replace(
    _HUBERT,
    name="facebook/data2vec-audio-base",
    model_type="data2vec-audio",
    parameters_m=93.2,
    normalize=None,
    source=f"arXiv 2202.03555; {_COUNTED}",
    unverified="licence; normalize is not known here",
    remark="",
)
_SEW = Card(
    "asapp/sew-tiny-100k",
    "sew",
    12,
    512,
    40.7,
    _SQUEEZED,
    None,
    _APACHE,
    _LIBRISPEECH,
    ENGLISH,
    f"arXiv 2109.06870; {_HUB_PAGE} (sizes from those of its files)",
    "normalize is not known here",
    "two frames are squeezed into one: a state every 40 ms",
)
_CONFORMER = replace(
    _LV60,
    name="facebook/wav2vec2-conformer-rel-pos-large",
    model_type="wav2vec2-conformer",
    parameters_m=618.6,
    normalize=None,
    data=_LIBRISPEECH,
    source=f"arXiv 2010.05171; {_HUB_PAGE}; {_COUNTED}",
    unverified="normalize is not known here",
)
_WHISPER_CARD = Card(
    "openai/whisper-tiny",
    "whisper",
    4,
    384,
    8.2,
    _WHISPER,
    None,
    "apache-2.0 (hub), MIT (authors)",
    "680,000 h from the internet with transcripts or translations, 65 % of them English, 98 other languages",
    _WHISPER_HEARD,
    f"arXiv 2212.04356; the model card of its release; {_COUNTED}",
    "licence on the hub",
    "only the encoder is used; Cantonese may have been heard under the token of Chinese",
)
_AST = Card(
    "MIT/ast-finetuned-audioset-10-10-0.4593",
    "audio-spectrogram-transformer",
    12,
    768,
    86.2,
    FrameGrid(_RATE, hop=1600, receptive_field=2800),
    None,
    "bsd-3-clause",
    "AudioSet, sounds of all kinds with labels, beginning from a picture model; its languages are not known",
    None,
    f"arXiv 2104.01778; {_HUB_PAGE}; {_COUNTED}",
    "",
    "one state every 100 ms, averaged over frequency",
)


def _ast(name: str, stride: int, parameters_m: float) -> Card:
    grid = FrameGrid(_RATE, hop=160 * stride, receptive_field=2800)
    remark = f"one state every {10 * stride} ms, averaged over frequency"
    return replace(_AST, name=f"MIT/{name}", grid=grid, parameters_m=parameters_m, remark=remark)


def _whispers() -> list[Card]:
    sizes = {
        "tiny": (4, 384, 8.2),
        "base": (6, 512, 20.6),
        "small": (12, 768, 88.2),
        "medium": (24, 1024, 307.2),
        "large": (32, 1280, 636.8),
        "large-v2": (32, 1280, 636.8),
    }
    cards: list[Card] = []
    for size, (n_layers, dim, parameters_m) in sizes.items():
        card = replace(
            _WHISPER_CARD, name=f"openai/whisper-{size}", n_layers=n_layers, dim=dim, parameters_m=parameters_m
        )
        cards.append(card)
        if not size.startswith("large"):
            data = "438,000 h of English from the internet with transcripts"
            remark = "only the encoder is used"
            cards.append(replace(card, name=f"{card.name}.en", data=data, heard=ENGLISH, remark=remark))
    newest = replace(
        cards[-1],
        name="openai/whisper-large-v3",
        parameters_m=637.0,
        data="5 million h from the internet, most of them labelled by large-v2",
        heard=tuple(sorted((*_WHISPER_HEARD, "yue_hant_hk"))),
        unverified="licence on the hub; data: its page on the hub from memory",
        remark="only the encoder is used; 128 mel bands",
    )
    return [*cards, newest, replace(newest, name="openai/whisper-large-v3-turbo")]


def _all() -> list[Card]:
    extra_large = {"n_layers": 48, "dim": 1280, "parameters_m": 962.5}
    large = {"n_layers": 24, "dim": 1024, "parameters_m": 315.4}
    return [
        _HUBERT,
        _HUBERT_LARGE,
        replace(_HUBERT_LARGE, name="facebook/hubert-xlarge-ll60k", **extra_large),
        _WAV2VEC2,
        replace(_WAV2VEC2, name="facebook/wav2vec2-large", **large, unverified="", remark=""),
        _LV60,
        _XLSR_CARD,
        _XLS_R_CARD,
        replace(_XLS_R_CARD, name="facebook/wav2vec2-xls-r-1b", **extra_large),
        replace(_XLS_R_CARD, name="facebook/wav2vec2-xls-r-2b", n_layers=48, dim=1920, parameters_m=2159.3),
        _MMS,
        replace(_MMS, name="facebook/mms-1b", **extra_large),
        _WAVLM,
        replace(
            _WAVLM,
            name="microsoft/wavlm-base-plus",
            normalize=False,
            data=_MIXED,
            unverified="normalize: from copies of its card",
        ),
        replace(
            _WAVLM,
            name="microsoft/wavlm-large",
            **large,
            normalize=True,
            data=_MIXED,
            unverified="normalize: from copies of its card",
        ),
        _SAT,
        replace(_SAT, name="microsoft/unispeech-sat-base-plus", data=_MIXED),
        replace(_SAT, name="microsoft/unispeech-sat-large", **large, data=_MIXED),
        replace(
            _SAT,
            name="microsoft/unispeech-large-1500h-cv",
            model_type="unispeech",
            **large,
            data="English of Common Voice, with transcripts",
            source=f"arXiv 2101.07597; {_HUB_PAGE}; {_COUNTED}",
        ),
        _DATA2VEC,
        replace(_DATA2VEC, name="facebook/data2vec-audio-large", n_layers=24, dim=1024, parameters_m=313.3),
        _SEW,
        replace(
            _SEW,
            name="asapp/sew-small-100k",
            dim=768,
            parameters_m=89.6,
            unverified="sizes, from memory of the paper; normalize is not known here",
        ),
        replace(_SEW, name="asapp/sew-mid-100k", n_layers=24, dim=768, parameters_m=174.7),
        _CONFORMER,
        *_whispers(),
        _AST,
        _ast("ast-finetuned-audioset-10-10-0.450", 10, 86.2),
        _ast("ast-finetuned-audioset-12-12-0.447", 12, 85.9),
        _ast("ast-finetuned-audioset-14-14-0.443", 14, 85.8),
        _ast("ast-finetuned-audioset-16-16-0.442", 16, 85.7),
    ]


CARDS: tuple[Card, ...] = tuple(_all())


@functools.cache
def _by_name() -> Mapping[str, Card]:
    return {card.name.lower(): card for card in CARDS}


def find(name: str) -> Card | None:
    """Find what is known of a checkpoint.

    Parameters
    ----------
    name : str
        On the hub, with its organisation; upper and lower case are the same, as they are there.

    Returns
    -------
    Card or None
        None where nothing is known: a folder, or a model that is not in the table.

    Examples
    --------
    >>> find("facebook/hubert-base-ls960").heard
    ('en_us',)
    >>> find("./my-checkpoint") is None
    True
    """
    return _by_name().get(name.strip().lower())
