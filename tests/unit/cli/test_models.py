"""``otoscope models`` and ``otoscope models check``."""

import json

import pytest
import typer
from typer.testing import CliRunner

from otoscope.cli import models
from otoscope.errors import SpecError
from otoscope.testing.checkpoints import write_checkpoint

program = typer.Typer()
program.add_typer(models.app, name="models")


@program.command("other")
def _other() -> None:
    """Stand beside it."""


def said(*args, code=0):
    result = CliRunner().invoke(program, ["models", *map(str, args)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("hubert"), "hubert")


def test_the_list_names_what_is_built_in_families_and_known_checkpoints():
    text = said()
    for word in ("logmel", "ge2e", "HuBERT", "Whisper encoder", "AST", "facebook/hubert-base-ls960", "89 languages"):
        assert word in text
    assert "untrained:MODEL#SEED" in text


def test_the_list_as_json_holds_everything():
    listed = json.loads(said("--json"))
    assert [row["name"] for row in listed["built_in"]][:3] == ["logmel", "mfcc", "ge2e"]
    assert "whisper" in [kind for row in listed["families"] for kind in row["model_types"]]
    known = {row["name"]: row for row in listed["known"]}
    assert known["facebook/hubert-base-ls960"]["heard"] == ["en_us"]
    assert known["facebook/mms-1b"]["heard"] is None
    assert known["facebook/hubert-base-ls960"]["hop"] == 320


def test_the_list_uses_no_network(monkeypatch):
    import socket

    def refuse(*args, **kwargs):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    said("--json")


def test_a_sound_checkpoint_is_said_to_be_one(checkpoint):
    text = said("check", checkpoint)
    for word in (
        "HuBERT",
        "every 20 ms",
        "made from 25 ms by the convolutions",
        "hears the whole clip",
        "block 3",
        "It keeps what it says.",
    ):
        assert word in text


def test_the_report_as_json(checkpoint):
    report = json.loads(said("check", checkpoint, "--json"))
    assert report["problems"] == []
    assert report["grid"]["hop"] == 320
    assert len(report["layers"]) == 4


@pytest.mark.parametrize(("kind", "window"), [("whisper", "30 s"), ("ast", "10.24 s")])
def test_windowed_families_are_reported_too(tmp_path, kind, window):
    text = said("check", write_checkpoint(tmp_path, kind))
    assert f"hears its window of {window}" in text
    assert "It keeps what it says." in text
    assert "clips of unequal length differ by at most" in text


def test_a_broken_law_gives_exit_code_1(checkpoint, monkeypatch):
    import dataclasses

    from otoscope.representations.upstreams import checking

    plain = checking.check_checkpoint

    def broken(model, **options):
        return dataclasses.replace(plain(model, **options), repeatable=False)

    monkeypatch.setattr(checking, "check_checkpoint", broken)
    assert "broken: a second run gives other states" in said("check", checkpoint, code=1)


def test_what_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(SpecError, match=r"config\.json"):
        said("check", tmp_path)
