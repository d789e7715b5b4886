"""What is said of known checkpoints: true to their families, to each other and to the languages of FLEURS."""

import dataclasses
import json

import pytest

from otoscope.corpora.languages import languages
from otoscope.representations.upstreams.cards import CARDS, find
from otoscope.representations.upstreams.catalogue import family_rows, is_present, known_rows
from otoscope.representations.upstreams.families import families

LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
XLARGE = {"hidden_size": 1280, "num_hidden_layers": 48, "num_attention_heads": 16, "intermediate_size": 5120}
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}

# what the released configurations say of sizes, where that is not the library's default
SIZES = {
    "facebook/hubert-base-ls960": {},
    "facebook/hubert-large-ll60k": {**LARGE, **STABLE},
    "facebook/hubert-xlarge-ll60k": {**XLARGE, **STABLE},
    "facebook/wav2vec2-base": {},
    "facebook/wav2vec2-large": LARGE,
    "facebook/wav2vec2-xls-r-1b": {**XLARGE, **STABLE},
    "facebook/wav2vec2-xls-r-2b": {**XLARGE, **STABLE, "hidden_size": 1920, "intermediate_size": 7680},
    "microsoft/wavlm-large": {**LARGE, **STABLE, "conv_bias": False},
    "facebook/data2vec-audio-base": {},
    "facebook/data2vec-audio-large": LARGE,
    "facebook/wav2vec2-conformer-rel-pos-large": {**LARGE, **STABLE, "position_embeddings_type": "relative"},
    "openai/whisper-tiny": {"d_model": 384, "encoder_layers": 4, "encoder_ffn_dim": 1536},
    "openai/whisper-large-v3": {
        "d_model": 1280,
        "encoder_layers": 32,
        "encoder_ffn_dim": 5120,
        "encoder_attention_heads": 20,
        "num_mel_bins": 128,
    },
    "MIT/ast-finetuned-audioset-10-10-0.4593": {},
    "MIT/ast-finetuned-audioset-16-16-0.442": {"time_stride": 16, "frequency_stride": 16},
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_clock_are_those_of_a_network_with_the_released_sizes(name):
    import torch
    from transformers import AutoConfig

    card = find(name)
    family = families()[card.model_type]
    config = AutoConfig.for_model(card.model_type, **SIZES[name])
    with torch.device("meta"):
        network = family.build(config)
    chosen = {key: field.default for key, field in family.settings.items()}
    outline = family.outline(config, {"do_normalize": True}, chosen)
    assert sum(part.numel() for part in network.parameters()) / 1e6 == pytest.approx(card.parameters_m, abs=0.06)
    assert (outline.layers[-1].index, outline.layers[-1].dim) == (card.n_layers, card.dim)
    assert {layer.grid for layer in outline.layers} == {card.grid}


def test_squeezed_frames_have_the_clock_of_their_family():
    from transformers import SEWConfig

    family = families()["sew"]
    outline = family.outline(SEWConfig(), {}, {"cnn": False, "normalize": "on"})
    assert find("asapp/sew-tiny-100k").grid == outline.layers[-1].grid


def test_names_are_unique_and_found_in_any_case():
    assert len({card.name.lower() for card in CARDS}) == len(CARDS)
    for card in CARDS:
        assert find(card.name) is card
        assert find(f" {card.name.upper()} ") is card
    assert find("./my-checkpoint") is None
    assert find("facebook/hubert-base") is None


def test_every_card_is_of_a_family_that_can_be_opened_and_says_where_it_is_from():
    for card in CARDS:
        assert card.model_type in families()
        assert card.source
        assert card.data
        assert card.licence


def test_languages_are_codes_of_fleurs_sorted_and_once():
    for card in CARDS:
        if card.heard is not None:
            assert list(card.heard) == sorted(set(card.heard))
            assert set(card.heard) <= set(languages())


def test_what_is_not_known_of_languages_is_none():
    unknown = {card.name for card in CARDS if card.heard is None}
    assert {name.split("/")[0] for name in unknown} == {"MIT", "facebook"}
    assert {name for name in unknown if name.startswith("facebook")} == {"facebook/mms-300m", "facebook/mms-1b"}
    assert all(find(name).data for name in unknown)


def test_whisper_heard_the_languages_of_its_tokens():
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    renamed = {"zh": "cmn", "no": "nb", "tl": "fil", "jw": "jv"}
    full = {code.split("_")[0]: code for code in languages()}
    tokens = {full.get(renamed.get(token, token)) for token in LANGUAGES} - {None}
    assert set(find("openai/whisper-large-v3").heard) == tokens
    for size in ("tiny", "base", "small", "medium", "large", "large-v2"):
        assert set(find(f"openai/whisper-{size}").heard) == tokens - {"yue_hant_hk"}
    for size in ("tiny", "base", "small", "medium"):
        assert find(f"openai/whisper-{size}.en").heard == ("en_us",)


def test_the_languages_of_fleurs_that_xls_r_never_heard():
    heard = set(find("facebook/wav2vec2-xls-r-300m").heard)
    # none of these is in VoxPopuli, Multilingual LibriSpeech, Common Voice 6, VoxLingua107 or the 17 of BABEL
    never = {"ast_es", "ckb_iq", "ff_sn", "ig_ng", "kam_ke", "kea_cv", "luo_ke", "nso_za", "ny_mw", "om_et", "umb_ao"}
    assert set(languages()) - heard == never | {"wo_sn", "xh_za"}
    assert set(find("facebook/wav2vec2-large-xlsr-53").heard) < heard


def test_english_models_heard_english():
    for card in CARDS:
        if card.name.startswith(("microsoft/", "asapp/", "facebook/hubert", "facebook/data2vec")):
            assert card.heard == ("en_us",)


def test_everything_said_is_a_json_value():
    for row in (*known_rows(), *family_rows()):
        assert json.loads(json.dumps(row)) == row
    assert {field.name for field in dataclasses.fields(CARDS[0])} - set(CARDS[0].describe()) == {"grid"}


def test_families_say_which_clips_may_be_heard_together():
    rows = {row["name"]: row for row in family_rows()}
    assert rows["HuBERT"]["together"] == "equal lengths; any, with layer norms in the convolutions"
    assert rows["Data2Vec-audio"]["together"] == "equal lengths"
    assert rows["Whisper encoder"]["together"] == "any lengths"
    assert rows["HuBERT"]["layers"] == [12, 24, 48]
    assert {kind for row in rows.values() for kind in row["model_types"]} == set(families())


def test_a_checkpoint_is_present_when_its_configuration_and_weights_are(tmp_path):
    name = "facebook/hubert-base-ls960"
    repository = tmp_path / "models--facebook--hubert-base-ls960"
    commit = "0" * 40
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    assert not is_present(name, cache=tmp_path)
    (snapshot / "config.json").write_text("{}")
    assert not is_present(name, cache=tmp_path)
    (snapshot / "pytorch_model.bin").write_bytes(b"")
    assert is_present(name, cache=tmp_path)
    assert not is_present("facebook/wav2vec2-base", cache=tmp_path)
