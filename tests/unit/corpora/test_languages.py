import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.corpora.languages import (
    REGIONS,
    TONE_TYPES,
    Language,
    expand_languages,
    is_language_code,
    language,
    languages,
)
from otoscope.corpora.typology import read_typology
from otoscope.errors import SpecError

SHARED = Path(__file__).parents[4] / "shared" / "data" / "fleurs" / "languages.csv"


def test_there_are_102_languages_in_seven_regions_and_three_tone_types():
    table = languages()
    assert len(table) == 102
    assert list(table) == sorted(table)
    assert Counter(entry.region for entry in table.values()) == dict(
        zip(REGIONS, (25, 16, 12, 20, 14, 11, 4), strict=True)
    )
    assert Counter(entry.tone_type for entry in table.values()) == dict(zip(TONE_TYPES, (21, 10, 71), strict=True))
    assert all(code == entry.code and entry.name and entry.coding for code, entry in table.items())


def test_well_known_languages_are_where_they_belong():
    assert language("cmn_hans_cn") == Language(
        "cmn_hans_cn", "Mandarin Chinese", "chinese_japanese_korean", "tonal", "W:C+P4", "high"
    )
    assert language("sv_se").tone_type == "pitch_accent"
    assert language("zu_za").region == "sub_saharan_african"
    assert language("en_us").tone_type == "none"
    assert language("ckb_iq").name == "Sorani Kurdish"


def test_the_table_is_made_once_and_cannot_be_changed():
    assert languages() is languages()
    with pytest.raises(TypeError):
        languages()["xx"] = language("en_us")


def test_a_language_outside_fleurs_is_none():
    assert language("gsw_CH") is None
    assert language("EN_US") is None


def test_every_code_of_the_table_has_the_form_of_a_code():
    assert all(is_language_code(code) for code in languages())


@pytest.mark.parametrize("code", ["sw", "gsw_CH", "und", "zh-Hant-HK", "es_419", "en-US"])
def test_users_own_codes_are_accepted(code):
    assert is_language_code(code)


@pytest.mark.parametrize(
    "text", ["", "??", "12", "e", "english", "en us", "en_", "_en", "en__us", "en us\n", "en\n", "é1"]
)
def test_what_is_no_code_is_refused(text):
    assert not is_language_code(text)


@given(st.from_regex(r"[a-z]{2,3}([-_][a-z0-9]{1,8}){0,3}", fullmatch=True))
def test_letters_and_short_parts_make_a_code(text):
    assert is_language_code(text)
    assert not is_language_code(f"{text}-")
    assert not is_language_code(f"{text} ")


def test_an_unknown_region_is_refused():
    with pytest.raises(SpecError, match="region is 'atlantis'; choose from western_european"):
        Language("xx", "X", "atlantis", "none", "lit", "low")


@pytest.mark.shared
def test_the_packaged_table_says_what_its_source_says():
    if not SHARED.is_file():
        pytest.skip("the source of the table is not beside the checkout")
    with SHARED.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["config"]: (row["tone_type"], row["source"]) for row in rows} == {
        code: (entry.tone_type, entry.coding) for code, entry in languages().items()
    }
    short = {
        region: {row["group"] for row in rows if languages()[row["config"]].region == region} for region in REGIONS
    }
    assert all(len(found) == 1 for found in short.values())


ALL = tuple(languages())


def test_all_codes_regions_and_tone_types_are_what_the_table_says():
    assert expand_languages(["all"], ALL) == ALL
    assert expand_languages(["ALL"], ["xx", "en_us"]) == ("xx", "en_us")
    for kind, names in (("region", REGIONS), ("tone_type", TONE_TYPES)):
        parts = [expand_languages([name], ALL) for name in names]
        assert all(
            {getattr(language(code), kind) for code in part} == {name}
            for part, name in zip(parts, names, strict=True)
        )
        assert sorted(code for part in parts for code in part) == sorted(ALL)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("western", "western_european"),
        ("sub-saharan", "sub_saharan_african"),
        ("cjk", None),
        ("japanese", "chinese_japanese_korean"),
        ("south_east", "south_east_asian"),
        ("south_a", "south_asian"),
        ("pitch", "pitch_accent"),
        ("no_tone", "none"),
        ("Tonal", "tonal"),
    ],
)
def test_a_short_form_is_enough_where_only_one_has_it(word, meant):
    if meant is None:
        with pytest.raises(SpecError, match="there is no language"):
            expand_languages([word], ALL)
    else:
        assert expand_languages([word], ALL) == expand_languages([meant], ALL)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("asia", "may be central_asia_middle_north_african, south_asian or south_east_asian; write one"),
        ("asian", "may be central_asia_middle_north_african, south_asian or south_east_asian; write one"),
        ("east", "may be eastern_european or south_east_asian"),
        ("africa", "may be central_asia_middle_north_african or sub_saharan_african"),
        ("south", "may be south_asian or south_east_asian"),
        ("european", "may be western_european or eastern_european"),
        ("african", "may be central_asia_middle_north_african or sub_saharan_african"),
        ("en_uk", "there is no language 'en_uk'; did you mean 'en_us'\\? Accepted are all, a region"),
        ("welsh", "did you mean 'cy_gb'"),
        ("tonl", "did you mean 'tonal'"),
        ("", "there is no language ''"),
    ],
)
def test_a_word_that_names_nothing_or_too_much_says_what_was_meant(word, said):
    with pytest.raises(SpecError, match=said):
        expand_languages([word], ALL)


def test_a_kind_of_which_nothing_is_there_is_refused():
    with pytest.raises(
        SpecError, match=r"has the tone type tonal; the tone types there are none; .*a code that is there: en_us"
    ):
        expand_languages(["tonal"], ["en_us"])
    with pytest.raises(SpecError, match="there is none"):
        expand_languages(["en_us"], [])
    with pytest.raises(SpecError, match="the list of languages is empty"):
        expand_languages([], ALL)


def test_words_add_up_in_the_order_of_what_is_there():
    there = ("zu_za", "en_us", "gsw_CH", "vi_vn")
    assert expand_languages(["gsw_CH", "tonal", "zu_za"], there) == ("zu_za", "gsw_CH", "vi_vn")
    assert expand_languages(["GSW_ch"], there) == ("gsw_CH",)


def test_a_code_that_is_there_goes_before_all_else():
    assert expand_languages(["tonal"], ["tonal", "yo_ng"]) == ("tonal",)


def test_a_typology_decides_what_is_tonal():
    there = ("sv_se", "ja_jp", "en_us")
    assert expand_languages(["pitch_accent"], there) == ("sv_se", "ja_jp")
    assert expand_languages(["tonal"], there, typology=read_typology("wals")) == ("ja_jp",)


@given(st.lists(st.sampled_from([*ALL[:20], "tonal", "none", "south_asian", "all"]), min_size=1, max_size=6))
def test_words_give_the_union_of_what_each_gives(words):
    together = expand_languages(words, ALL)
    assert set(together) == set().union(*(expand_languages([word], ALL) for word in words))
    assert list(together) == sorted(together)


def test_a_message_names_at_most_twelve_codes():
    with pytest.raises(SpecError) as caught:
        expand_languages(["xx_xx"], ALL)
    said = str(caught.value)
    assert sum(code in said.replace(",", "").split() for code in ALL) == 12
    assert "and 90 more (`otoscope languages` lists those of FLEURS)" in said


def test_of_a_code_with_another_country_the_same_language_is_meant():
    for wrong, meant in (("es_es", "es_419"), ("pt_pt", "pt_br"), ("ZH_cn", None)):
        with pytest.raises(SpecError) as caught:
            expand_languages([wrong], ALL)
        assert meant is None or f"did you mean '{meant}'?" in str(caught.value)


def test_where_a_kind_is_asked_for_the_message_speaks_of_it():
    assert expand_languages(["south_asian"], ALL, kind="region") == expand_languages(["south_asian"], ALL)
    with pytest.raises(SpecError) as caught:
        expand_languages(["tonol"], ALL, kind="tone_type")
    assert str(caught.value) == (
        "there is no tone type 'tonol'; did you mean 'tonal'? The tone types are tonal, pitch_accent, none"
    )
    for word in ("en_us", "tonal"):
        with pytest.raises(SpecError, match=f"there is no region '{word}'; the regions are western_european"):
            expand_languages([word], ALL, kind="region")
    with pytest.raises(SpecError) as caught:
        expand_languages(["tonal"], ["sv_se", "en_us"], kind="tone_type")
    assert str(caught.value) == (
        "no language that is there has the tone type tonal; the tone types there are pitch_accent, none"
    )
