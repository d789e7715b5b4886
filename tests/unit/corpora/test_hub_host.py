"""Whether the hub can be asked at all."""

import socket
import threading
import time

import pytest

from otoscope.corpora.hub_host import is_offline, unknown_host

PROXIES = [f"{kind}_proxy" for kind in ("http", "https", "all")]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    for name in (*PROXIES, *map(str.upper, PROXIES), "HF_ENDPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def refuse(*_args):
    raise socket.gaierror(socket.EAI_NONAME, "not known")


def test_the_host_is_named_where_its_name_is_not_known(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert unknown_host() == "huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.invalid:8080/hub")
    assert unknown_host() == "mirror.invalid"


def test_a_known_host_is_nothing_to_tell(monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port: asked.append(host))
    assert unknown_host() is None
    assert asked == ["huggingface.co"]


@pytest.mark.parametrize(
    ("endpoint", "proxy", "host"),
    [
        ("https://hub.invalid", "HTTPS_PROXY", None),
        ("https://hub.invalid", "all_proxy", None),
        ("https://hub.invalid", "http_proxy", "hub.invalid"),
        ("http://hub.invalid", "http_proxy", None),
    ],
)
def test_a_proxy_looks_names_up_itself(monkeypatch, endpoint, proxy, host):
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    assert unknown_host() == host


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: over.wait(20))
    started = time.perf_counter()
    assert unknown_host(limit_s=0.05) == "huggingface.co"
    assert time.perf_counter() - started < 5
    over.set()


@pytest.mark.parametrize(("said", "offline"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_switch_of_the_client_is_read_as_it_reads_it(monkeypatch, said, offline):
    monkeypatch.setenv("HF_HUB_OFFLINE", said)
    assert is_offline() is offline
