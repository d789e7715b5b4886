"""Every kind of corpus keeps the contract."""

import importlib.util

import numpy as np
import pytest
import soundfile

from otoscope.corpora.espeak import make_demo
from otoscope.corpora.registry import KINDS, open_corpus
from otoscope.store import digest_of
from otoscope.testing.corpora import check_corpus
from otoscope.testing.fleurs import write_fleurs


def sounds(folder, *names):
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(seed).normal(0, 0.1, 11_025), 11_025)


def folder_with_splits(path):
    sounds(
        path,
        *(
            f"{split}/{code}/{split}{i}/a.wav"
            for split in ("train", "test")
            for code in ("sw", "vi_vn")
            for i in "12"
        ),
    )
    return f"folder:{path}"


def manifest(path):
    sounds(path, "a.wav", "b.flac", "c.ogg")
    (path / "clips.tsv").write_text(
        "path\tlanguage\tspeaker\tstart\tend\n"
        "a.wav\ten_us\tx\t\t\nb.flac\tgsw_CH\ty\t0.1\t0.7\nb.flac\tgsw_CH\ty\t0.7\t\nc.ogg\tund\t\t\t\ngone.wav\tund\t\t\t\n"
    )
    return f"folder:{path / 'clips.tsv'}"


def espeak(path):
    path.mkdir(parents=True, exist_ok=True)
    for package in ("espeakng_loader", "gflanguages"):
        if importlib.util.find_spec(package) is None:
            pytest.skip("the extra otoscope[demo] is not installed")
    make_demo(path / "speech", languages=["lv_lv"])
    return f"espeak:{path / 'speech'}"


def fleurs_archives(path):
    return f"fleurs:{write_fleurs(path, n_sentences=(2, 2, 2))}"


def fleurs_parquet(path):
    return f"fleurs:{write_fleurs(path, layout='parquet', n_sentences=(2, 2, 2))}"


MAKERS = {"folder": [folder_with_splits, manifest], "espeak": [espeak], "fleurs": [fleurs_archives, fleurs_parquet]}
ALL_MAKERS = [maker for makers in MAKERS.values() for maker in makers]


def test_every_kind_is_checked():
    assert set(MAKERS) == set(KINDS)


@pytest.mark.parametrize("make", ALL_MAKERS)
def test_every_kind_keeps_the_contract(tmp_path, make):
    corpus = open_corpus(make(tmp_path))
    assert len(corpus.clips) >= 4
    check_corpus(corpus)


@pytest.mark.parametrize("make", ALL_MAKERS)
def test_a_corpus_opened_twice_is_the_same_corpus(tmp_path, make):
    spec = make(tmp_path)
    one, other = open_corpus(spec), open_corpus(spec)
    assert one == other
    assert digest_of([clip.describe() for clip in one.clips]) == digest_of([clip.describe() for clip in other.clips])


@pytest.mark.parametrize("make", ALL_MAKERS)
def test_a_corpus_that_was_moved_has_the_same_digest(tmp_path, make):
    spec = make(tmp_path / "here")
    before = [clip.describe() for clip in open_corpus(spec).clips]
    (tmp_path / "here").rename(tmp_path / "there")
    after = [
        clip.describe() for clip in open_corpus(spec.replace(str(tmp_path / "here"), str(tmp_path / "there"))).clips
    ]
    assert before == after
    assert str(tmp_path) not in str(after)
