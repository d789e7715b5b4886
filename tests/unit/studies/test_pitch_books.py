"""Parts, merging, several processes, status, verification and the lock: the same run, however it came about."""

import json
import shutil
import threading
from dataclasses import dataclass, replace

import pytest
import soundfile

from otoscope.corpora.base import Clip, Corpus
from otoscope.corpora.files import AudioFile
from otoscope.errors import PassingError, RunConflictError, SourceGoneError, SpecError
from otoscope.f0.labels import LabelCache
from otoscope.store import lock_holder, locked, read_about, read_json
from otoscope.studies.pitch.answer import read_answer
from otoscope.studies.pitch.ledger import LOCK
from otoscope.studies.pitch.merge import merge_runs
from otoscope.studies.pitch.run import run_pitch
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.status import run_status, verify_run
from otoscope.testing.planted import PlantedModel, PlantedTracker, planted_corpus
from otoscope.testing.signals import speechlike

A, B = PlantedModel(name="planted"), PlantedModel(name="weak", strengths=(6.0,), kind="baseline")
SETTINGS = PitchSettings(n_resamples=50, shard_clips=4)
LANGUAGES = ("en_us", "cmn_hans_cn")


def run(out, models=(A, B), corpus=None, **options):
    options = {"tracker": PlantedTracker(), "labels": LabelCache(out.parent / "labels"), **options}
    return run_pitch(corpus or planted_corpus(languages=LANGUAGES), list(models), out, SETTINGS, **options)


def contents(folder):
    """Give all bytes outside the journal; of run.json all but where the work was done."""
    kept = {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and "journal" not in p.parts
    }
    about = read_json(folder / "run.json")
    about.pop("made_with")
    kept["run.json"] = json.dumps(about).encode()
    answer = read_json(folder / "answer.json")
    answer.pop("about")  # its digest is of all run.json
    kept["answer.json"] = json.dumps(answer).encode()
    return kept


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    run(out)
    return out


def test_parts_of_a_run_merged_are_the_run(tmp_path, whole):
    parts = [tmp_path / f"part{k}" for k in (1, 2, 3)]
    for k, part in enumerate(parts, start=1):
        result = run(part, part=(k, 3))
        assert result.waiting
        assert not (part / "answer.json").exists()
    merged = merge_runs(parts, tmp_path / "merged")
    assert merged.languages == tuple(sorted(LANGUAGES))
    copies = [tmp_path / f"second{k}" for k in (1, 2)]
    for k, copy in enumerate(copies, start=1):
        shutil.copytree(tmp_path / "merged", copy)
        assert all(name.endswith(".test") for name in run(copy, part=(k, 2)).waiting)
    merge_runs(copies, tmp_path / "again")
    assert not run(tmp_path / "again").waiting
    assert contents(tmp_path / "again") == contents(whole)


def test_every_shard_is_in_exactly_one_part(tmp_path):
    seen = []
    for k in (1, 2, 3, 4, 5):
        out = tmp_path / f"part{k}"
        run(out, models=[A], part=(k, 5))
        lines = (out / "journal" / "shards.jsonl").read_text().splitlines()
        seen += [json.loads(line)["shard"] for line in lines]
    plan = run(tmp_path / "whole", models=[A]).plan
    assert sorted(seen) == sorted(s.shard_id for s in plan.shards if s.split != "test")


def test_runs_over_other_languages_merged_go_on_to_the_run_over_both(tmp_path):
    corpus = planted_corpus(languages=LANGUAGES)
    one, other = tmp_path / "one", tmp_path / "other"
    run(one, corpus=corpus.only(["cmn_hans_cn"]))
    (other / "shifts").mkdir(parents=True)
    for path in (one / "shifts").iterdir():
        shutil.copy(path, other / "shifts")
    run(other, corpus=corpus.only(["en_us"]))
    merge_runs([one, other], tmp_path / "merged")
    with pytest.raises(SpecError, match="not finished"):
        read_answer(tmp_path / "merged")
    before = {p: p.read_bytes() for p in (tmp_path / "merged" / "cells").rglob("*.safetensors")}
    run(tmp_path / "merged", corpus=corpus)
    assert {p: p.read_bytes() for p in (tmp_path / "merged" / "cells").rglob("*.safetensors")} == before
    run(tmp_path / "extended", corpus=corpus.only(["cmn_hans_cn"]))
    run(tmp_path / "extended", corpus=corpus, languages=["all"])
    kept = {k: v for k, v in contents(tmp_path / "merged").items() if k.startswith(("test", "probes", "table"))}
    assert kept == {k: v for k, v in contents(tmp_path / "extended").items() if k in kept}


@pytest.mark.slow
def test_several_processes_and_readers_give_the_same_bytes(tmp_path, whole):
    run(tmp_path / "several", devices=["cpu", "cpu"])
    assert contents(tmp_path / "several") == contents(whole)
    run(tmp_path / "readers", readers=1)
    assert contents(tmp_path / "readers") == contents(whole)
    run(tmp_path / "both", devices=["cpu", "cpu"], readers=1)
    assert contents(tmp_path / "both") == contents(whole)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"settings": {"seed": 7}}, "seed was 0 and is 7"),
        ({"tracker": {"name": "x"}}, "tracker was"),
        ({"languages": {"en_us": "0"}}, "other clips, groups or splits in en_us"),
        ({"models": {"planted": {"version": "2"}}}, "model planted: this run was made"),
    ],
)
def test_runs_that_differ_are_not_merged(tmp_path, whole, change, said):
    other, out = tmp_path / "other", tmp_path / "out"
    shutil.copytree(whole, other)
    about = read_json(other / "run.json")
    for key, values in change.items():
        about[key] = {**about[key], **values}
    (other / "run.json").write_text(json.dumps(about))
    with pytest.raises(RunConflictError, match=said):
        merge_runs([whole, other], out)
    assert not out.exists()
    assert not list(tmp_path.glob(".part*"))


def test_files_that_should_be_alike_and_are_not_are_not_merged(tmp_path, whole):
    from otoscope.store import read_arrays, write_arrays

    other = tmp_path / "other"
    shutil.copytree(whole, other)
    path = next((other / "cells").rglob("*.train.safetensors"))
    arrays, about = read_arrays(path)
    write_arrays(path, {name: array * (1 + 1e-9) for name, array in arrays.items()}, about=about)
    with pytest.raises(RunConflictError, match="holds other numbers"):
        merge_runs([whole, other], tmp_path / "out")
    shift = next((other / "shifts").iterdir())
    arrays, about = read_arrays(shift)
    write_arrays(shift, {name: array + 1e-9 for name, array in arrays.items()}, about=about)
    with pytest.raises(RunConflictError, match="the shift vectors of"):
        merge_runs([whole, other], tmp_path / "out")


def test_verify_finds_a_flipped_bit_a_cut_file_a_stray_one_and_a_missing_one(tmp_path, whole):
    assert verify_run(whole) == []
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    flipped, cut = sorted((out / "cells").rglob("*.safetensors"))[:2]
    missing = next((out / "test").rglob("*.safetensors"))
    data = bytearray(flipped.read_bytes())
    data[-5] ^= 1
    flipped.write_bytes(data)
    cut.write_bytes(cut.read_bytes()[:-100])
    missing.unlink()
    (out / "cells" / ".part-00").write_text("half")
    found = {problem.path: problem.what for problem in verify_run(out)}
    name = {path: path.relative_to(out).as_posix() for path in (flipped, cut, missing)}
    assert "other bytes" in found[name[flipped]]
    assert "damaged" in found[name[cut]]
    assert "missing" in found[name[missing]]
    assert "killed" in found["cells/.part-00"]
    run(out)
    assert not (out / "cells" / ".part-00").exists()


def test_status_counts_what_is_there(tmp_path, whole):
    found = run_status(whole)
    assert found.answered
    assert found.worker is None
    assert {m.model for m in found.models} == {"planted", "weak"}
    for model in found.models:
        assert model.finished
        assert model.learnt.done == model.learnt.total > 0
        assert model.tested.done == model.tested.total > 0
        assert model.solved.done == model.solved.total > 0
        assert model.n_bytes > 0
    assert found.left_s == 0
    run(tmp_path / "part", part=(1, 2))
    part = run_status(tmp_path / "part")
    assert not part.answered
    assert 0 < part.models[0].learnt.done < part.models[0].learnt.total
    assert part.models[0].tested.done == 0
    assert part.left_s > 0
    json.dumps(part.describe(), allow_nan=False)


def test_a_run_is_worked_on_by_one_at_a_time(tmp_path, whole):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    with locked(out / LOCK):
        # the same process may not enter twice either: its second lock is another open file
        with pytest.raises(RunConflictError, match="is working here"):
            run(out)
        assert run_status(out).worker.startswith("process ")
    run(out)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("do not touch")
    with pytest.raises(RunConflictError, match="this is not a run"):
        run(tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def spoken_corpus(folder, n=12):
    clips = []
    for i in range(n):
        waveform, _, _ = speechlike(i, duration_s=1.0)
        path = folder / f"{i:02d}.wav"
        folder.mkdir(exist_ok=True)
        soundfile.write(path, waveform.samples, waveform.sample_rate, subtype="FLOAT")
        split = ("train", "train", "test")[i % 3]
        source = AudioFile(path, root=folder)
        clips.append(Clip(f"c{i:02d}", source, ("en_us", "de_de")[i % 2], {"sentence": f"s{i}"}, split))
    return Corpus("spoken", tuple(clips), "none", "none")


@dataclass
class Removes:
    """Progress that moves a folder away after some clips."""

    folder: object
    left: int

    def begin(self, what, total):
        pass

    def advance(self):
        self.left -= 1
        if self.left == 0:
            self.folder.rename(self.folder.with_name("away"))


@pytest.mark.parametrize("after", [1, 6, 11])
def test_a_corpus_that_is_gone_stops_the_run_and_nothing_is_lost(tmp_path, after):
    folder = tmp_path / "speech"
    corpus = spoken_corpus(folder)
    options = {"models": ["logmel"], "corpus": corpus, "tracker": None}
    run(tmp_path / "whole", **options)
    with pytest.raises(SourceGoneError, match="is gone; bring it back and run the same command again"):
        run(tmp_path / "cut", **options, progress=Removes(folder, after), labels=LabelCache(tmp_path / "other"))
    there = {p: p.read_bytes() for p in (tmp_path / "cut" / "cells").rglob("*.safetensors")}
    (tmp_path / "away").rename(folder)
    for path, data in there.items():
        assert path.read_bytes() == data
    run(tmp_path / "cut", **options)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert not read_json(tmp_path / "cut" / "failures.json")


def test_no_room_on_the_disk_stops_the_run_and_nothing_is_lost(tmp_path, whole, monkeypatch):
    import safetensors.numpy

    save, left = safetensors.numpy.save_file, [6]

    def full(arrays, path, metadata=None):
        left[0] -= 1
        if left[0] < 0:
            path.write_bytes(b"half of a file")
            raise safetensors.SafetensorError("I/O error: No space left on device (os error 28)")
        save(arrays, path, metadata)

    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    with pytest.raises(OSError, match="No space left on device"):
        run(tmp_path / "cut", labels=LabelCache(whole.parent / "labels"))
    assert not list((tmp_path / "cut").rglob(".part-*"))
    assert verify_run(tmp_path / "cut") == []
    monkeypatch.setattr(safetensors.numpy, "save_file", save)
    run(tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(whole)


def test_a_model_says_what_it_has_heard(tmp_path):
    class Taught(PlantedModel):
        @property
        def info(self):
            return replace(super().info, heard=("en_us",))

    run(tmp_path / "run", models=[Taught(name="planted"), B])
    assert read_json(tmp_path / "run" / "run.json")["heard"] == {"planted": ["en_us"], "weak": None}


def test_the_first_part_of_none_is_refused(tmp_path):
    for part in ((0, 2), (3, 2)):
        with pytest.raises(SpecError, match="part is"):
            run(tmp_path / "run", part=part)
    assert not (tmp_path / "run").exists()


def test_damaged_moments_are_never_used(tmp_path, whole):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    path = next((out / "cells" / "planted").glob("*.train.safetensors"))
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    shutil.rmtree(out / "probes")
    with pytest.raises(SpecError, match=r"has other bytes than were written.*; remove it"):
        run(out)
    path.unlink()
    run(out)
    assert contents(out) == contents(whole)


def test_a_damaged_test_file_gives_no_numbers(tmp_path, whole):
    from otoscope.studies.pitch.matrix import matrix_rows

    out = tmp_path / "run"
    shutil.copytree(whole, out)
    for path in (out / "test" / "planted").glob("*.safetensors"):
        data = bytearray(path.read_bytes())
        for place in range(8 + int.from_bytes(data[:8], "little"), len(data), 499):
            data[place] ^= 1
        path.write_bytes(data)
    with pytest.raises(SpecError, match="other bytes than were written"):
        matrix_rows(out)


def test_a_part_that_is_done_is_said_to_be_done(tmp_path):
    run(tmp_path / "part", part=(1, 2))
    assert run_status(tmp_path / "part").part == (1, 2)
    assert run_status(tmp_path / "part").part_done
    next((tmp_path / "part" / "cells").rglob("*.safetensors")).unlink()
    assert not run_status(tmp_path / "part").part_done


def test_looking_at_what_is_not_there_leaves_nothing(tmp_path):
    for look in (verify_run, run_status):
        with pytest.raises(SpecError, match="there is no such folder"):
            look(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


def test_a_device_that_is_not_there_is_refused_even_where_no_network_is_asked_for(tmp_path):
    with pytest.raises(SpecError, match="gpu"):
        run(tmp_path / "run", devices=["gpu"])
    assert not (tmp_path / "run").exists()


def test_a_language_without_test_clips_is_named(tmp_path):
    corpus = planted_corpus(languages=LANGUAGES)
    clips = tuple(c for c in corpus.clips if (c.language, c.split) != ("en_us", "test"))
    plan = run(tmp_path / "run", models=[A], corpus=replace(corpus, clips=clips)).plan
    assert "Without test clips, so trained on and not tested: en_us." in plan.notes


def test_a_partner_that_changes_while_a_run_is_under_way_is_noticed(tmp_path):
    folder = tmp_path / "speech"
    corpus = spoken_corpus(folder, n=24)
    options = {"models": ["logmel"], "corpus": corpus, "tracker": None}

    class Power(Exception):
        pass

    class GoesOff(Removes):
        def advance(self):
            self.left -= 1
            if self.left == 0:
                raise Power

    with pytest.raises(Power):
        run(tmp_path / "cut", **options, progress=GoesOff(folder, 16 + 5))  # after the first shard of one language
    part = next((tmp_path / "cut" / "cells").rglob("*.00000.safetensors"))
    partners = set(read_about(part)["partners"]) - set(read_about(part)["clips"])
    assert partners  # in a shard that is still to come
    changed = folder / f"{sorted(partners)[0][1:]}.wav"
    waveform, _, _ = speechlike(99, duration_s=1.0)
    soundfile.write(changed, waveform.samples, waveform.sample_rate, subtype="FLOAT")
    with pytest.raises(SourceGoneError, match="sound files changed while the run was under way"):
        run(tmp_path / "cut", **options)
    run(tmp_path / "cut", **options)
    shutil.copytree(tmp_path / "cut" / "shifts", tmp_path / "fresh" / "shifts")
    run(tmp_path / "fresh", **options)
    assert contents(tmp_path / "cut") == contents(tmp_path / "fresh")


def test_a_clip_that_failed_for_want_of_memory_is_tried_again(tmp_path, whole):
    class Crowded(PlantedModel):
        def layers(self, waveform):
            for layer in super().layers(waveform):
                if crowded and waveform.clip_id.endswith("3") and layer.info.index == 1:
                    raise PassingError(waveform.clip_id, "memory did not suffice")
                yield layer

    crowded = True
    assert run(tmp_path / "run", models=[Crowded(name="planted"), B]).failures
    crowded = False
    assert not run(tmp_path / "run", models=[Crowded(name="planted"), B]).failures
    shutil.copytree(tmp_path / "run" / "shifts", tmp_path / "fresh" / "shifts")  # made while memory was short
    run(tmp_path / "fresh")
    assert contents(tmp_path / "run") == contents(tmp_path / "fresh")


def test_an_extension_that_is_refused_leaves_the_run_as_it_was(tmp_path):
    corpus = planted_corpus(languages=LANGUAGES)
    run(tmp_path / "run", models=[A], corpus=corpus.only(["en_us"]))
    before = contents(tmp_path / "run")
    bad = PlantedModel(name="bad", fails_on=tuple(c.clip_id for c in corpus.clips))
    with pytest.raises(SpecError, match="none of the"):
        run(tmp_path / "run", models=[A, bad], corpus=corpus, languages=["all"])
    assert contents(tmp_path / "run") == before
    assert verify_run(tmp_path / "run") == []


def test_exchanged_probes_are_found(tmp_path, whole):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    shutil.copy(out / "probes" / "planted" / "1.safetensors", out / "probes" / "planted" / "0.safetensors")
    (problem,) = verify_run(out)
    assert problem.what == "holds the probes of planted layer 1"
    run(out)
    assert contents(out) == contents(whole)


def test_looking_at_a_lock_does_not_keep_a_run_from_beginning(tmp_path):
    path = tmp_path / "run" / LOCK
    with locked(path):
        pass
    stop = threading.Event()

    def look():
        while not stop.is_set():
            lock_holder(path)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(300):
            with locked(path):
                pass
    finally:
        stop.set()
        looker.join()
