"""The hub, served from a folder on this machine."""

import hashlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from otoscope.representations.upstreams.hub import wanted
from otoscope.testing.checkpoints import write_checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OLDER = "89abcdef0123456789abcdef0123456789abcdef"


class Hub(BaseHTTPRequestHandler):
    folder = None
    asked = ()

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        type(self).asked = (*self.asked, self.path)
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"] and parts[2:4] == ["acme", "tiny"]:
            revision = parts[5] if len(parts) > 5 and parts[4] == "revision" else "main"
            commit = {"main": COMMIT, COMMIT: COMMIT, "v1": OLDER, OLDER: OLDER}.get(revision)
            if commit is None:
                return self.send(404, b"", {"X-Error-Code": "RevisionNotFound"}, body=body)
            files = [{"rfilename": path.name} for path in sorted(self.folder.iterdir())]
            info = {"id": "acme/tiny", "modelId": "acme/tiny", "sha": commit, "siblings": files, "tags": []}
            if len(parts) > 4 and parts[4] == "tree":
                info = [
                    {"type": "file", "oid": "0" * 40, "size": path.stat().st_size, "path": path.name}
                    for path in sorted(self.folder.iterdir())
                ]
            return self.send(200, json.dumps(info).encode(), {"Content-Type": "application/json"}, body=body)
        if parts[:3] == ["acme", "tiny", "resolve"] and (self.folder / parts[4]).is_file():
            content = (self.folder / parts[4]).read_bytes()
            commit = {"v1": OLDER, OLDER: OLDER}.get(parts[3], COMMIT)
            etag = hashlib.sha256(content).hexdigest()
            return self.send(200, content, {"X-Repo-Commit": commit, "ETag": f'"{etag}"'}, body=body)
        if parts[-1:] == ["gated"] or "gated" in parts:
            return self.send(403, b"", {"X-Error-Code": "GatedRepo"}, body=body)
        return self.send(404, b"", {"X-Error-Code": "RepoNotFound"}, body=body)

    def send(self, status, content, headers, *, body):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_args):
        pass


@pytest.fixture
def hub(tmp_path):
    Hub.folder = write_checkpoint(tmp_path / "served", "hubert")
    (Hub.folder / "tf_model.h5").write_bytes(b"not wanted")
    (Hub.folder / "README.md").write_text("---\nlicense: mit\n---\n")
    Hub.asked = ()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


SCRIPT = """
import json, sys
import numpy as np
from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.representations.registry import open_model
noise = Waveform(np.random.default_rng(0).normal(size=4000).astype(np.float32), 16000, "noise")
told = []
for spec in sys.argv[1:]:
    try:
        model = open_model(spec)
        sums = [float(np.abs(layer.states).sum()) for layer in model.layers(noise)]
        info = model.info
        told.append([info.name, info.version, info.licence, sums])
    except SpecError as error:
        told.append(str(error))
print(json.dumps(told))
"""


def opened(cache, *specs, endpoint=None, offline=False):
    """In a process of its own: the hub's client reads its surroundings when it is imported."""
    import os

    surroundings = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    surroundings |= {"HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    surroundings |= {"HF_ENDPOINT": endpoint or "http://127.0.0.1:9", "NO_PROXY": "*", "no_proxy": "*"}
    surroundings |= {"HF_HUB_OFFLINE": "1"} if offline else {}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *specs],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=surroundings,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_model_comes_from_the_hub_and_then_from_the_cache(hub, tmp_path):
    cache = tmp_path / "cache"
    fetched, untrained, unknown, revision, gated, local = opened(
        cache,
        "acme/tiny",
        "untrained:acme/tiny#1",
        "acme/absent",
        "acme/tiny:revision=nowhere",
        "acme/gated",
        str(Hub.folder),
        endpoint=hub,
    )
    assert fetched[0] == "acme/tiny"
    assert fetched[1].startswith(f"commit {COMMIT}, weights ")
    assert fetched[2] == "mit"
    assert fetched[3] == local[3]
    assert fetched[1].endswith(local[1])
    assert untrained[0] == "untrained:acme/tiny#1"
    assert "the hub has no such model, or it is private" in unknown
    assert "the hub has no revision 'nowhere'" in revision
    assert "the hub asks for permission" in gated
    assert not [path for path in Hub.asked if "tf_model.h5" in path]

    asked = len(Hub.asked)
    again, pinned, absent = opened(
        cache, "acme/tiny", f"acme/tiny:revision={COMMIT}", "facebook/hubert-base-ls960", offline=True
    )
    assert again == fetched
    assert pinned == [f"acme/tiny:revision={COMMIT}", *fetched[1:]]
    check_absent(absent)
    assert len(Hub.asked) == asked


@pytest.mark.slow
def test_an_untrained_copy_fetches_no_weights(hub, tmp_path):
    ((name, *_),) = opened(tmp_path / "cache", "untrained:acme/tiny#1", endpoint=hub)
    assert name == "untrained:acme/tiny#1"
    assert not [path for path in Hub.asked if "safetensors" in path]


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached_is_done_without(hub, tmp_path):
    cache = tmp_path / "cache"
    (fetched,) = opened(cache, "acme/tiny", endpoint=hub)
    again, absent = opened(cache, "acme/tiny", "facebook/hubert-base-ls960")
    assert again == fetched
    check_absent(absent)


def check_absent(told):
    assert told.startswith("facebook/hubert-base-ls960: is not in the local cache, and the hub cannot be reached (")
    assert "run: hf download facebook/hubert-base-ls960 --local-dir hubert-base-ls960 " in told
    assert told.endswith("--model ./hubert-base-ls960")


def test_a_host_whose_name_is_not_known_is_not_asked(tmp_path, monkeypatch):
    import huggingface_hub

    from otoscope.errors import SpecError
    from otoscope.representations.upstreams import hub as module

    def asked(*_args, **_options):
        raise AssertionError("the hub's client was asked")

    monkeypatch.setattr(module, "unknown_host", lambda: "hub.invalid")
    monkeypatch.setattr(module, "is_offline", lambda: False)
    monkeypatch.setattr(huggingface_hub, "HfApi", asked)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", asked)
    with pytest.raises(
        SpecError, match=r"cannot be reached \(hub.invalid is not known here\); did you mean"
    ) as raised:
        module.fetch("facebook/hubert-bse-ls960")
    assert "did you mean 'facebook/hubert-base-ls960'? Else, where there is a network, run: hf" in str(raised.value)
    snapshot = write_checkpoint(tmp_path / "snapshots" / COMMIT, "hubert")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: str(snapshot / "config.json"))
    assert module.fetch("acme/tiny") == (snapshot, COMMIT)


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["config.json", "model.safetensors", "pytorch_model.bin"], ["config.json", "model.safetensors"]),
        (["config.json", "pytorch_model.bin", "flax_model.msgpack"], ["config.json", "pytorch_model.bin"]),
        (
            ["model-00001-of-00002.safetensors", "model.safetensors.index.json", "pytorch_model.bin"],
            ["model-00001-of-00002.safetensors", "model.safetensors.index.json"],
        ),
        (["adapter.eng.safetensors", "modeling.py", "README.md"], ["README.md"]),
    ],
)
def test_only_what_is_needed_is_fetched(files, chosen):
    assert wanted(files, weights=True) == chosen
    assert all("model" not in name for name in wanted(files, weights=False))


@pytest.mark.parametrize("name", ["acme/tiny.git", "acme/" + "a" * 100, "acme/tiny-"])
@pytest.mark.parametrize("host", [None, "hub.invalid"])
def test_a_name_that_the_client_refuses_is_refused_in_a_sentence(monkeypatch, name, host):
    from otoscope.errors import SpecError
    from otoscope.representations.upstreams import hub as module

    monkeypatch.setattr(module, "unknown_host", lambda: host)
    monkeypatch.setattr(module, "is_offline", lambda: False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SpecError, match=rf"^{name}: is no name that the hub takes"):
        module.fetch(name)
