"""The same recordings by every route: archives, unpacked folders, Parquet files, the hub."""

import hashlib
import http.server
import json
import multiprocessing
import pickle
import shutil
import tarfile
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.corpora.archives import close_archives
from otoscope.corpora.checking import check_audio
from otoscope.corpora.espeak import make_demo
from otoscope.corpora.fleurs import read_fleurs
from otoscope.corpora.layout import audio_path, read_rows, table_path
from otoscope.corpora.registry import open_corpus
from otoscope.errors import DataError, SpecError
from otoscope.testing.corpora import check_corpus
from otoscope.testing.fleurs import fleurs_from, readings, write_archive, write_readings

LANGUAGES = ("en_us", "yo_ng")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LAYOUTS = ("archives", "folders", "parquet")


def hum(seed, gender):
    """Give a quick voice: noise under a tone."""
    rng = np.random.default_rng(seed)
    n = 9_600 + 160 * (seed % 30)
    tone = 0.3 * np.sin(np.arange(n) * (0.08 if gender == "FEMALE" else 0.04))
    return Waveform((tone + rng.normal(0, 0.05, n)).astype(np.float32), 16_000, "hum")


@pytest.fixture(scope="module")
def recordings():
    return list(readings(LANGUAGES, n_sentences=(5, 2, 3), seed=0, voice=hum))


@pytest.fixture(scope="module")
def roots(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleurs")
    return {layout: write_readings(folder / layout, recordings, layout=layout) for layout in LAYOUTS}


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "own-cache"))
    close_archives()
    yield
    close_archives()


def described(corpus):
    return [(clip.describe(), clip.text, clip.duration_s) for clip in corpus.clips]


def digests(corpus):
    return [clip.read(sample_rate=None).digest() for clip in corpus.clips]


def about(corpus):
    return corpus.name, corpus.licence, corpus.citation, corpus.failures, described(corpus), digests(corpus)


def test_every_route_on_disk_gives_the_same_corpus(roots, recordings):
    first = about(read_fleurs(roots["archives"]))
    assert about(read_fleurs(roots["folders"])) == first
    assert about(read_fleurs(roots["parquet"])) == first
    written = {hashlib.sha256(b"16000:" + hum_samples(r).tobytes()).hexdigest() for r in recordings}
    assert set(first[-1]) == written
    assert len(first[-1]) == len(recordings)


def hum_samples(reading):
    return np.frombuffer(reading.wav[-4 * reading.row.n_samples :], "<f4")


def test_the_corpus_keeps_the_contract_and_the_order(roots):
    corpus = read_fleurs(roots["archives"])
    check_corpus(corpus)
    keys = [
        (c.language, ("train", "dev", "test").index(c.split), c.groups["sentence"], c.clip_id) for c in corpus.clips
    ]
    assert keys == sorted(keys)
    clip = corpus.clips[0]
    assert clip.clip_id.startswith("en_us/train/")
    assert clip.source.describe() == f"{clip.clip_id}.wav"
    assert clip.gender in ("male", "female")
    assert clip.measure() == clip.read(sample_rate=None).duration_s


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_folder_data_itself_may_be_named_and_a_move_changes_nothing(roots, layout, tmp_path):
    first = about(read_fleurs(roots[layout]))
    moved = tmp_path / "elsewhere" / "data"
    shutil.copytree(roots[layout] / "data" if layout != "parquet" else roots[layout], moved)
    assert about(read_fleurs(moved)) == first
    assert about(read_fleurs(moved.parent)) == first


def test_routes_may_be_mixed_and_an_inner_folder_is_found(roots, tmp_path):
    first = about(read_fleurs(roots["archives"]))
    root = tmp_path / "mixed"
    shutil.copytree(roots["archives"], root)
    for code, split, unpacked in (("en_us", "train", "inner/train"), ("yo_ng", "dev", "")):
        audio = root / "data" / code / "audio"
        shutil.copytree(roots["folders"] / "data" / code / "audio" / split, audio / split / unpacked)
        (audio / f"{split}.tar.gz").unlink()
    (root / "data" / "yo_ng" / "test.tsv").unlink()
    (root / "data" / "yo_ng" / "audio" / "test.tar.gz").unlink()
    shutil.copytree(roots["parquet"] / "yo_ng" / "test", root / "yo_ng" / "test")
    assert about(read_fleurs(root)) == first


def test_languages_restrict_what_is_read(roots):
    whole = read_fleurs(roots["archives"])
    assert read_fleurs(roots["archives"], languages=["tonal"]).clips == whole.only(["yo_ng"]).clips
    assert open_corpus(f"fleurs:{roots['archives']}", languages=["western"]).languages == ("en_us",)
    with pytest.raises(SpecError, match=r"did you mean 'en_us'\?"):
        read_fleurs(roots["archives"], languages=["english"])
    with pytest.raises(SpecError, match="there is no language 'de_de'"):
        read_fleurs(roots["archives"], languages=["de_de"])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_clips_can_be_read_in_any_order_and_in_another_process(roots, layout, rng):
    corpus = read_fleurs(roots[layout])
    straight = digests(corpus)
    for i in rng.permutation(len(corpus.clips)):
        assert corpus.clips[i].read(sample_rate=None).digest() == straight[i]
    stamps = [clip.source.stamp() for clip in corpus.clips]
    assert all(stamps)
    assert stamps == [clip.source.stamp() for clip in read_fleurs(roots[layout]).clips]
    chosen = rng.permutation(len(corpus.clips))[:4]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(corpus.clips[i].read, sample_rate=None) for i in chosen]
        there = [job.result().digest() for job in jobs]
    assert there == [straight[i] for i in chosen]


def test_a_later_process_needs_no_second_pass(roots, monkeypatch, tmp_path):
    first = digests(read_fleurs(roots["archives"]))
    kept = sorted(path.suffix for path in (tmp_path / "own-cache" / "archives").iterdir())
    assert kept == [".gzidx"] * 6 + [".json"] * 6
    close_archives()
    monkeypatch.setattr(
        "otoscope.corpora.archives.Scan.finish", lambda scan: pytest.fail("read from end to end again")
    )
    assert digests(read_fleurs(roots["archives"])) == first


def test_an_archive_that_was_replaced_is_read_anew(roots, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(roots["archives"], root)
    clip = read_fleurs(root).clips[0]
    before, stamp = clip.read(sample_rate=None).digest(), clip.source.stamp()
    path = audio_path(root, "en_us", "train", "x").parent.with_suffix(".tar.gz")
    write_archive(
        path, [(f"a/{clip.source.member}", (root / "data/en_us/other.wav").read_bytes())]
    ) if False else None
    with tarfile.open(path) as tar:
        names = [name for name in tar.getnames() if "unnamed" not in name and not name.endswith(clip.source.member)]
        other = tar.extractfile(names[0]).read()
    write_archive(path, [(f"a/{clip.source.member}", other)])
    assert clip.read(sample_rate=None).digest() != before
    assert clip.source.stamp() != stamp


def test_members_that_would_do_harm_do_nothing(recordings, tmp_path, roots):
    root = tmp_path / "evil" / "root"
    shutil.copytree(roots["archives"], root)
    part = [r for r in recordings if (r.language, r.split) == ("en_us", "test")]
    secret = tmp_path / "secret.wav"
    secret.write_bytes(part[0].wav)

    def special(name, kind, target="", **more):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        for key, value in more.items():
            setattr(info, key, value)
        return info, b""

    names = [r.row.file_name for r in part]
    members = [
        special(f"test/{names[0]}", tarfile.SYMTYPE, str(secret)),
        special(f"test/{names[0]}", tarfile.LNKTYPE, "/etc/passwd"),
        special(f"test/{names[1]}", tarfile.CHRTYPE, devmajor=1, devminor=3),
        special(f"test/{names[1]}", tarfile.FIFOTYPE),
        special("test", tarfile.DIRTYPE),
        (f"../../../{names[1]}", part[1].wav),
        (f"{tmp_path}/{names[2]}", part[2].wav),
        *((f"test/{r.row.file_name}", r.wav) for r in part[3:]),
        ("../../outside.wav", b"x"),
    ]
    write_archive(root / "data/en_us/audio/test.tar.gz", members)
    before = sorted(tmp_path.rglob("*"))
    corpus = read_fleurs(root, languages=["en_us"])
    clips = {clip.source.member: clip for clip in corpus.clips if clip.split == "test"}
    with pytest.raises(DataError, match=f"there is no {names[0]} in test.tar.gz"):
        clips[names[0]].read(sample_rate=None)
    for reading in part[1:]:
        samples = clips[reading.row.file_name].read(sample_rate=None).samples
        np.testing.assert_array_equal(samples, hum_samples(reading))
    made = {path for path in set(tmp_path.rglob("*")) - set(before) if "own-cache" not in path.parts}
    assert not made


def _truncate(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])


def test_what_stands_before_the_end_of_a_truncated_archive_can_be_used(roots, tmp_path):
    root = tmp_path / "cut"
    shutil.copytree(roots["archives"], root)
    whole = {clip.clip_id: clip.read(sample_rate=None).digest() for clip in read_fleurs(root).clips}
    _truncate(root / "data/en_us/audio/train.tar.gz", 0.5)
    corpus = read_fleurs(root)
    assert described(corpus) == described(read_fleurs(roots["archives"]))
    good, bad = [], []
    for clip in corpus.only(["en_us"]).clips:
        try:
            found = clip.read(sample_rate=None).digest()
        except DataError as error:
            bad.append((clip, str(error)))
        else:
            good.append(found == whole[clip.clip_id])
    assert all(good)
    assert all("the archive ends too early; get" in said for _, said in bad)
    bad = [clip for clip, _ in bad]
    n_train = sum(clip.split == "train" for clip in corpus.only(["en_us"]).clips)
    assert {clip.split for clip in bad} == {"train"}
    assert 2 < len(bad) < n_train - 2
    found = check_audio(corpus)
    missing = [finding.where for finding in found.findings if finding.kind == "missing"]
    assert sorted(missing) == sorted(clip.clip_id for clip in bad)
    (said,) = (finding for finding in found.findings if finding.kind == "truncated_archive")
    assert said.where == "en_us/audio/train.tar.gz"
    assert f"{len(bad)} of {n_train} recordings are lost" in said.message


def test_an_archive_with_a_wrong_checksum_gives_nothing(roots, tmp_path):
    root = tmp_path / "flipped"
    shutil.copytree(roots["archives"], root)
    path = root / "data/en_us/audio/dev.tar.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    corpus = read_fleurs(root, languages=["en_us"])
    for clip in corpus.clips:
        if clip.split == "dev":
            with pytest.raises(DataError, match="the archive is damaged"):
                clip.read(sample_rate=None)
    kinds = {finding.kind for finding in check_audio(corpus).findings if finding.severity == "error"}
    assert "damaged_archive" in kinds


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00"])
def test_what_is_no_archive_is_a_failure_of_its_clips(roots, tmp_path, content):
    root = tmp_path / "none"
    shutil.copytree(roots["archives"], root)
    (root / "data/en_us/audio/dev.tar.gz").write_bytes(content)
    corpus = read_fleurs(root, languages=["en_us"])
    clip = next(clip for clip in corpus.clips if clip.split == "dev")
    with pytest.raises(DataError, match=clip.clip_id):
        clip.read(sample_rate=None)
    assert check_audio(corpus).count("error")


class _Hub(http.server.BaseHTTPRequestHandler):
    """What the hub's client needs: commit, etag and size of a file, ranges, and archives on another host."""

    protocol_version = "HTTP/1.1"
    prefix = "/datasets/google/fleurs/resolve/"

    def log_message(self, *args):
        pass

    def _answer(self, with_body):
        server = self.server
        server.asked.append((self.command, self.path, self.headers.get("Range")))
        on_cdn = self.path.startswith("/cdn/")
        name = self.path.removeprefix("/cdn/") if on_cdn else self.path.removeprefix(self.prefix).partition("/")[2]
        path = server.root / name
        if not path.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = path.read_bytes()
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        if name.endswith(".tar.gz") and not on_cdn:
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{server.server_port}/cdn/{name}")
            self.send_header("X-Linked-Etag", etag)
            self.send_header("X-Linked-Size", str(len(data)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if first else 200)
        self.send_header("ETag", etag)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(data) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if with_body:
            if name in server.cut:
                server.cut.discard(name)
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return
            self.wfile.write(data[first:])

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)


@pytest.fixture
def hub(roots, monkeypatch):
    pytest.importorskip("huggingface_hub")
    for name in (
        "HF_HUB_OFFLINE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    server.daemon_threads = True
    server.root, server.asked, server.cut = roots["archives"], [], set()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_hub_gives_the_same_corpus_and_fetches_only_what_is_read(hub, roots, tmp_path):
    corpus = read_fleurs(None, languages=LANGUAGES, cache=tmp_path / "hub")
    first = read_fleurs(roots["archives"])
    assert described(corpus) == described(first)
    assert corpus.notes == (f"from google/fleurs at {COMMIT}",)
    assert not [path for _, path, _ in hub.asked if "tar.gz" in path]
    clip = next(clip for clip in corpus.clips if clip.clip_id.startswith("yo_ng/dev"))
    stamp = clip.source.stamp()
    assert pickle.loads(pickle.dumps(clip)).read(sample_rate=None).digest() in digests(first)
    assert {path for _, path, _ in hub.asked if path.startswith("/cdn")} == {"/cdn/data/yo_ng/audio/dev.tar.gz"}
    assert clip.source.stamp() == stamp
    assert about(corpus) == about(first)


def test_other_languages_are_not_asked_for(hub, tmp_path):
    read_fleurs(None, languages=["en_us"], cache=tmp_path / "hub")
    assert hub.asked
    assert not [path for _, path, _ in hub.asked if "yo_ng" in path]


def test_a_download_that_is_cut_off_goes_on_where_it_was(hub, roots, tmp_path, monkeypatch):
    chunk = 1 << 16
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", chunk)
    name = "data/en_us/audio/train.tar.gz"
    hub.cut.add(name)
    corpus = read_fleurs(None, languages=["en_us"], cache=tmp_path / "hub")
    assert digests(corpus) == digests(read_fleurs(roots["archives"], languages=["en_us"]))
    size = (roots["archives"] / name).stat().st_size
    ranges = [wanted for verb, path, wanted in hub.asked if verb == "GET" and path == f"/cdn/{name}"]
    assert ranges == [None, f"bytes={size // 2 // chunk * chunk}-"]


def test_a_complete_cache_needs_no_network(hub, roots, tmp_path, monkeypatch):
    corpus = read_fleurs(None, languages=LANGUAGES, cache=tmp_path / "hub")
    first = about(corpus)
    hub.asked.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert about(read_fleurs(None, languages=LANGUAGES, cache=tmp_path / "hub")) == first
    assert not hub.asked


def test_without_the_hub_the_message_names_the_command_and_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(SpecError) as caught:
        read_fleurs(None, languages=["yo_ng", "en_us"], cache=tmp_path / "hub")
    said = str(caught.value)
    assert "is not on this machine and cannot be got" in said
    command = (
        'hf download google/fleurs --repo-type dataset --revision main --include "data/en_us/*" --include "data/yo'
    )
    assert command in said
    assert said.endswith("--local-dir fleurs; then name the folder: --corpus fleurs:fleurs")


def test_an_archive_that_the_hub_does_not_have_is_a_failure_of_its_clips(hub, roots, tmp_path):
    root = tmp_path / "less"
    shutil.copytree(roots["archives"], root)
    (root / "data/en_us/audio/dev.tar.gz").unlink()
    (root / "data/en_us/test.tsv").unlink()
    hub.root = root
    with pytest.raises(SpecError, match=r"has no data/en_us/test\.tsv at main"):
        read_fleurs(None, languages=["en_us"], cache=tmp_path / "hub")
    shutil.copy(roots["archives"] / "data/en_us/test.tsv", root / "data/en_us/test.tsv")
    (root / "data/en_us/train.tsv").unlink()
    corpus = read_fleurs(None, languages=["en_us"], cache=tmp_path / "hub")
    assert [failure.clip_id for failure in corpus.failures] == ["en_us/train.tsv"]
    with pytest.raises(DataError, match=r"has no data/en_us/audio/dev\.tar\.gz"):
        corpus.clips[0].read(sample_rate=None)


@pytest.mark.slow
def test_spoken_demo_speech_is_the_same_by_every_route(tmp_path):
    pytest.importorskip("espeakng_loader")
    pytest.importorskip("gflanguages")
    demo = make_demo(tmp_path / "demo", languages=8).corpus

    def recordings():
        for clip in demo.clips:
            rows = {
                row.file_name: row for row in read_rows(table_path(tmp_path / "demo", clip.language, clip.split))[0]
            }
            name = Path(clip.source.describe()).name
            yield clip.language, clip.split, rows[name], clip.read(sample_rate=None)

    found = {}
    for layout in LAYOUTS:
        corpus = read_fleurs(fleurs_from(recordings(), tmp_path / layout, layout=layout))
        found[layout] = json.dumps([described(corpus), digests(corpus)])
        sounds = {clip.clip_id: clip.read(sample_rate=None).digest() for clip in corpus.clips}
        assert sounds == {clip.clip_id: clip.read(sample_rate=None).digest() for clip in demo.clips}
        assert len(corpus.languages) == 8
    assert len(set(found.values())) == 1
