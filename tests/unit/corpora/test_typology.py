import pytest

from otoscope.corpora.languages import TONE_TYPES, languages
from otoscope.corpora.typology import read_typology
from otoscope.errors import SpecError


def write(folder, text):
    path = folder / "tones.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_default_says_what_the_shipped_table_says():
    table = read_typology().table
    assert list(table) == list(languages())
    for code, known in languages().items():
        entry = table[code]
        shipped = (known.name, known.region, known.tone_type, known.coding, known.confidence)
        assert (entry.name, entry.region, entry.tone_type, entry.coding, entry.confidence) == shipped


def test_wals_knows_56_languages_and_no_pitch_accent():
    table = read_typology("wals").table
    coded = {code: entry for code, entry in table.items() if entry.tone_type}
    assert len(table) == 102
    assert len(coded) == 56
    assert {code for code, known in languages().items() if known.coding.startswith("W:")} == set(coded)
    values = {code: entry.coding[2] for code, entry in coded.items()}
    assert all((entry.tone_type == "none") == (values[code] == "N") for code, entry in coded.items())
    assert sum(entry.tone_type == "tonal" for entry in coded.values()) == 9 + 7
    assert {entry.tone_type for entry in coded.values()} == {"tonal", "none"}


def test_rows_of_the_user_override_and_extend(tmp_path):
    path = write(
        tmp_path, "code,tone_type,region\nhr_hr,none,\ngsw_CH,,western_european\n\nen_us,tonal,south_asian\n"
    )
    own = read_typology(path)
    assert own.of("hr_hr").tone_type == "none"
    assert own.of("hr_hr").region == languages()["hr_hr"].region
    assert own.of("hr_hr").name == "Croatian"
    assert (own.of("gsw_CH").tone_type, own.of("gsw_CH").name, own.of("gsw_CH").coding) == (None, "gsw_CH", "own")
    assert own.of("en_us").region == "south_asian"
    assert own.of("yo_ng") == read_typology().of("yo_ng")
    assert own.describe() != read_typology().describe()
    assert str(tmp_path) not in str(own.describe())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("code,region\nen_us,south_asian\n", "has no column tone_type; it has code, region"),
        ("", "has no column code; it has none"),
        ("code,tone_type,mood\n", "the column mood is not known; use code, tone_type, region, name, coding"),
        ("code,tone_type\nen_us,tonal\nyo_ng,loud\n", "line 3: tone_type is 'loud'; choose from tonal, pitch_accent"),
        ("code,tone_type,region\nen_us,tonal,moon\n", "line 2: region is 'moon'; choose from western_european"),
        ("code,tone_type\n??,tonal\n", "line 2: code is '\\?\\?'; one like en_us"),
        ("code,tone_type\nen_us,tonal\nen_us,none\n", "line 3: en_us is in a line above; name it once"),
        ("code,tone_type\nen_us\n", "line 2: has not as many fields"),
        ("code,tone_type\nen_us,none,more\n", "line 2: has not as many fields"),
    ],
)
def test_a_table_that_cannot_be_says_the_line_and_what_is_accepted(tmp_path, text, reason):
    with pytest.raises(SpecError, match=reason):
        read_typology(write(tmp_path, text))


def test_a_table_that_is_not_there_says_what_there_is(tmp_path):
    with pytest.raises(SpecError, match=r"cannot be read: No such file.*accepted are default, wals, or the path"):
        read_typology(tmp_path / "gone.csv")
    (tmp_path / "latin.csv").write_bytes(b"code,tone_type\n\xff\xff,tonal\n")
    with pytest.raises(SpecError, match="is not UTF-8 at byte 16"):
        read_typology(tmp_path / "latin.csv")


def test_the_marks_of_a_spreadsheet_do_no_harm(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbfcode, tone_type\r\nen_us, tonal\r\n")
    assert read_typology(path).of("en_us").tone_type == "tonal"
    assert set(TONE_TYPES) >= {entry.tone_type for entry in read_typology(path).table.values()}
