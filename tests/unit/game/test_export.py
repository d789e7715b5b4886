"""The export: what was answered, said with its meaning, and nothing that names a listener."""

import csv
import io
import json
import zipfile

import pytest

from otoscope.errors import SpecError
from otoscope.game.collecting import limits_of, read_study_responses
from otoscope.game.export import export_files, export_study, zip_bytes
from otoscope.game.responses import COLUMNS, read_responses

PLATFORM = {"name": "prolific", "id": "PROLIFICID", "study_id": "STUDYID", "session_id": None}


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def played(make_player, client):
    done = make_player(platform=PLATFORM)
    done.prepare({"age": "25-34", "hearing": None})
    said = iter(["new", "repeat", "knew", "timeout"] * 4)
    done.play(lambda entry: next(said))
    done.finish()
    begun = make_player()
    begun.prepare()
    begun.post("phases/0/start")
    begun.put(0)
    return done, begun, client.app.state.store


def test_every_response_stands_in_the_export_as_it_was_given(played, study):
    done, begun, store = played
    rows = table(export_files(study, store)["data/responses.csv"])
    assert list(rows[0])[: len(COLUMNS)] == list(COLUMNS)
    mine = [row for row in rows if row["session"] == done.state["session"]]
    assert [int(row["slot"]) for row in mine] == list(range(16))
    assert [row["answer"] for row in mine] == ["new", "repeat", "knew", "timeout"] * 4
    assert {row["rt_ms"] for row in mine if row["answer"] == "timeout"} == {""}
    assert {float(row["rt_ms"]) for row in mine if row["rt_ms"]} == {500.0 + 1 / 3}
    plan = study.plan(0)
    assert [row["track"] for row in mine] == [slot.clip.track for slot in plan]
    assert [row["lag"] for row in mine] == ["" if slot.lag is None else str(slot.lag) for slot in plan]
    assert {row["complete"] for row in mine} == {"true"}
    assert [row["complete"] for row in rows if row["session"] == begun.state["session"]] == ["false"]


def test_what_is_exported_is_read_for_scoring_as_the_database_gives_it(played, study, tmp_path):
    store = played[2]
    export_study(study, store, tmp_path / "out")
    one, other = read_responses(tmp_path / "out" / "data" / "responses.csv"), read_study_responses(study, store)
    for name in COLUMNS:
        assert [str(v) for v in getattr(one, name)] == [str(v) for v in getattr(other, name)]


def test_platform_ids_stand_in_a_file_of_their_own_and_only_when_asked(played, study, tmp_path):
    store = played[2]
    files = export_files(study, store)
    assert "platform-ids.csv" not in files
    assert not any("PROLIFICID" in text or "STUDYID" in text for text in files.values())
    asked = export_files(study, store, platform_ids=True)
    (row,) = table(asked.pop("platform-ids.csv"))
    assert (row["platform"], row["platform_id"], row["session"]) == (
        "prolific",
        "PROLIFICID",
        played[0].state["session"],
    )
    assert not any("PROLIFICID" in text for text in asked.values())
    export_study(study, store, tmp_path / "out", platform_ids=True)
    assert (tmp_path / "out" / "platform-ids.csv").stat().st_mode & 0o077 == 0
    export_study(study, store, tmp_path / "out", overwrite=True)
    assert not (tmp_path / "out" / "platform-ids.csv").exists()


def test_no_token_or_code_is_exported(played, study):
    text = "".join(export_files(study, played[2], platform_ids=True).values())
    assert played[0].state["token"] not in text
    assert played[0].finish()["code"] not in text
    assert study.admin_token() not in text


def test_the_codebook_says_what_every_column_means(played, study):
    files = export_files(study, played[2])
    description = json.loads(files["dataset_description.json"])
    assert description["@type"] == "Dataset"
    said = {variable["name"] for variable in description["variableMeasured"]}
    for name, text in files.items():
        if name.endswith(".csv"):
            assert set(text.splitlines()[0].split(",")) <= said, name
    assert all(variable["description"] for variable in description["variableMeasured"])


def test_unfinished_sittings_may_be_left_out(played, study):
    files = export_files(study, played[2], incomplete=False)
    for name in ("responses", "sessions", "questions"):
        assert {row["session"] for row in table(files[f"data/{name}.csv"])} == {played[0].state["session"]}


def test_answers_to_questions_and_reasons_of_exclusion_are_there(played, study):
    files = export_files(study, played[2])
    mine = {
        row["question"]: row["value"]
        for row in table(files["data/questions.csv"])
        if row["session"] == played[0].state["session"]
    }
    assert mine == {"age": "25-34", "hearing": "", "training": ""}
    flags = {row["session"]: row for row in table(files["data/exclusions.csv"])}
    assert "incomplete" in flags[played[1].state["session"]]["reasons"]


def test_a_typed_formula_is_no_formula_in_a_spreadsheet(played, study):
    store = played[2]
    from otoscope.game.tables import QuestionAnswer

    typed = {"f1": '=HYPERLINK("x")', "f2": "+1+1", "f3": "@a", "f4": "-5", "f5": 'a,"b"\nc'}

    def add(session):
        for name, value in typed.items():
            session.add(QuestionAnswer(session=played[0].state["session"], question=name, value=value))

    store.write(add)
    found = {row["question"]: row["value"] for row in table(export_files(study, store)["data/questions.csv"])}
    assert found["f1"] == '\'=HYPERLINK("x")'
    assert (found["f2"], found["f3"]) == ("'+1+1", "'@a")
    assert (found["f4"], found["f5"]) == ("-5", 'a,"b"\nc')


def test_an_empty_study_can_be_exported(study, store, tmp_path):
    made = export_study(study, store, tmp_path / "out.zip")
    assert (made.n_sessions, made.n_responses) == (0, 0)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.read("data/responses.csv").decode().startswith("session,slot,track")
    with pytest.raises(SpecError, match="no responses yet"):
        read_study_responses(study, store)


def test_an_export_is_not_written_over_anything_unasked(study, store, tmp_path):
    export_study(study, store, tmp_path / "out")
    with pytest.raises(SpecError, match="is there already"):
        export_study(study, store, tmp_path / "out")
    export_study(study, store, tmp_path / "out", overwrite=True)


def test_equal_files_make_equal_archives(study, store):
    files = export_files(study, store)
    assert zip_bytes(files) == zip_bytes(dict(files))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"preset": "strict"}, "exclusions.preset is 'strict'"),
        ({"vigilence": 0.5}, "did you mean 'vigilance'"),
        ({"vigilance": "low"}, "a number, true or false"),
        ({"complete": 1.5}, "a number, true or false"),
        ({"vigilance": 3.0}, "share from 0 to 1"),
    ],
)
def test_exclusion_settings_that_cannot_be_are_refused(study, given, match):
    study.settings = study.settings.model_copy(update={"exclusions": given})
    with pytest.raises(SpecError, match=match):
        limits_of(study)


def test_exclusion_settings_become_limits(study):
    given = {"vigilance": 0.3, "false_alarms": "off", "headphones": True}
    study.settings = study.settings.model_copy(update={"exclusions": given})
    limits = limits_of(study)
    assert (limits.vigilance, limits.false_alarms, limits.headphones) == (0.3, None, True)


def test_whoever_answered_everything_has_finished_even_without_the_last_page(make_player, client, study):
    closed = make_player()
    closed.prepare()
    closed.play()
    rows = table(export_files(study, client.app.state.store)["data/responses.csv"])
    assert len(rows) == study.n_slots
    assert {row["complete"] for row in rows} == {"true"}
    files = export_files(study, client.app.state.store, incomplete=False)
    assert [row["complete"] for row in table(files["data/sessions.csv"])] == ["true"]
