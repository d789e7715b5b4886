"""`otoscope languages`."""

import csv
import io
import json

import pytest
import typer
from typer.testing import CliRunner

from otoscope.cli.languages import languages
from otoscope.corpora.languages import languages as shipped
from otoscope.errors import SpecError


@pytest.fixture
def ask():
    app = typer.Typer()
    app.command()(languages)

    def run(*args):
        done = CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=True)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    return run


def test_json_gives_the_whole_table(ask):
    rows = json.loads(ask("--json"))
    assert [row["code"] for row in rows] == list(shipped())
    assert rows[0] == {
        "code": "af_za",
        "name": "Afrikaans",
        "region": "sub_saharan_african",
        "tone_type": "none",
        "coding": "lit",
        "confidence": "medium",
    }


def test_tone_and_region_both_restrict(ask):
    rows = json.loads(ask("--tone", "tonal", "--region", "sub_saharan", "--json"))
    assert rows
    assert all((row["tone_type"], row["region"]) == ("tonal", "sub_saharan_african") for row in rows)
    assert len(json.loads(ask("--tone", "tonal,pitch", "--json"))) == 21 + 10


def test_the_table_shows_the_columns_and_explains_the_coding(ask):
    shown = ask("--tone", "pitch_accent")
    assert shown.splitlines()[0].strip() == "10 languages"
    assert shown.splitlines()[1].split() == ["code", "name", "region", "tone", "type", "coding", "confidence"]
    assert "Swedish" in shown
    assert "WALS 13A" in shown


def test_another_typology_changes_the_answer(ask, tmp_path):
    assert len(json.loads(ask("--tone", "tonal", "--typology", "wals", "--json"))) == 16
    table = io.StringIO()
    csv.writer(table).writerows([["code", "tone_type"], ["gsw_CH", "pitch_accent"]])
    path = tmp_path / "own.csv"
    path.write_text(table.getvalue())
    codes = [row["code"] for row in json.loads(ask("--tone", "pitch_accent", "--typology", path, "--json"))]
    assert "gsw_CH" in codes
    assert len(codes) == 11


def test_what_is_not_there_is_said(ask):
    with pytest.raises(SpecError, match="there is no tone type 'tonel'; did you mean 'tonal'"):
        ask("--tone", "tonel")
    with pytest.raises(SpecError, match="'asia' may be"):
        ask("--region", "asia")
    with pytest.raises(SpecError, match="none of eastern is tonal; ask for one of them alone"):
        ask("--region", "eastern", "--tone", "tonal")
