"""Sizes, origins, rates, headers: what every request has to pass."""

import asyncio
import json

import pytest

from otoscope.game.limits import MAX_BODY, SECURITY_HEADERS, Guard, Rate, Rates, Throttle

GENEROUS = Rates()


async def echo(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def ask(guard, method="POST", path="/api/x", *, headers=(), parts=(b"",), address="1.2.3.4"):
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "client": (address, 1),
        "headers": [(b"host", b"game.example:8000"), *headers],
    }
    waiting, sent = list(parts), []

    async def receive():
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], dict(sent[0]["headers"]), body


@pytest.fixture
def guard():
    return Guard(echo, rates=GENEROUS, hosts=["play.example.org"])


def test_a_body_of_the_greatest_size_passes_and_one_byte_more_does_not(guard):
    assert ask(guard, parts=[b"x" * MAX_BODY])[0] == 200
    assert ask(guard, parts=[b"x" * (MAX_BODY + 1)])[0] == 413


def test_a_body_without_a_stated_length_is_counted_as_it_comes(guard):
    assert ask(guard, parts=[b"x" * 1000] * 17)[0] == 413
    assert ask(guard, parts=[b"x" * 1000] * 16)[2] == b"16000"


@pytest.mark.parametrize("length", [b"16385", b"-1", b"9" * 400, b"abc"])
def test_a_stated_length_that_is_too_great_or_none_is_refused_before_the_body(guard, length):
    assert ask(guard, headers=[(b"content-length", length)])[0] == 413


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (b"http://game.example:8000", 200),
        (b"https://game.example:8000", 200),
        (b"https://play.example.org", 200),
        (b"https://PLAY.example.org", 200),
        (b"https://evil.example", 403),
        (b"http://game.example:8001", 403),
        (b"http://game.example:8000.evil.example", 403),
        (b"https://evil.example/game.example:8000", 403),
        (b"null", 403),
        (b"", 403),
        (b"\xff", 403),
        (b"http://[", 403),
    ],
)
def test_writing_needs_the_origin_of_the_page(guard, origin, status):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ask(guard, method, headers=[(b"origin", origin)])[0] == status
    assert ask(guard, "GET", headers=[(b"origin", origin)])[0] == 200


def test_a_request_that_a_browser_calls_cross_site_is_refused(guard):
    assert ask(guard, headers=[(b"sec-fetch-site", b"cross-site")])[0] == 403
    assert ask(guard, headers=[(b"sec-fetch-site", b"same-origin")])[0] == 200


def test_a_bucket_gives_its_burst_and_then_its_rate():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    rate = Rate(2.0, 3)
    assert [throttle.wait_s("a", b"x", rate) for _ in range(3)] == [0, 0, 0]
    assert throttle.wait_s("a", b"x", rate) == pytest.approx(0.5)
    now[0] = 0.5
    assert throttle.wait_s("a", b"x", rate) == 0
    assert throttle.wait_s("a", b"x", rate) > 0
    assert throttle.wait_s("a", b"y", rate) == 0
    now[0] = 1000
    assert [throttle.wait_s("a", b"x", rate) > 0 for _ in range(4)] == [False, False, False, True]


def test_too_many_requests_are_told_when_to_come_again():
    guard = Guard(echo, rates=Rates(session=Rate(0.5, 2)))
    headers = [(b"authorization", b"Bearer t")]
    assert [ask(guard, headers=headers)[0] for _ in range(2)] == [200, 200]
    status, said, body = ask(guard, headers=headers)
    assert (status, said[b"retry-after"]) == (429, b"2")
    assert json.loads(body)["retry_after_s"] == pytest.approx(2, abs=0.1)
    assert ask(guard, headers=[(b"authorization", b"Bearer other")])[0] == 200


def test_sittings_begun_from_one_address_are_limited_and_other_addresses_are_not():
    guard = Guard(echo, rates=Rates(begins=Rate(0.1, 2)))
    assert [ask(guard, path="/api/sessions")[0] for _ in range(3)] == [200, 200, 429]
    assert ask(guard, path="/api/sessions", address="4.3.2.1")[0] == 200
    assert ask(guard, path="/api/x")[0] == 200


def test_no_address_is_kept_in_plain(guard):
    ask(guard, address="203.0.113.77")
    assert "203.0.113.77" not in repr(guard.throttle._buckets)
    assert guard._digest(b"203.0.113.77") != Guard(echo, rates=GENEROUS)._digest(b"203.0.113.77")


def test_buckets_do_not_grow_without_bound():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for k in range(45_000):
        throttle.wait_s("a", k.to_bytes(4), Rate(1, 1))
    assert len(throttle._buckets) <= 20_000


def test_refusals_have_the_headers_too(guard):
    for said in (
        ask(guard, headers=[(b"origin", b"https://evil.example")])[1],
        ask(guard, parts=[b"x" * 20_000])[1],
        ask(guard)[1],
    ):
        for name, value in SECURITY_HEADERS.items():
            assert said[name.lower().encode()] == value.encode()
        assert said[b"cache-control"] == b"no-store"


def test_a_faster_server_takes_more():
    faster = Rates().faster(10)
    assert (faster.session.per_s, faster.session.burst) == (200, 2000)
    assert Rates().faster(1) == Rates()


def test_a_body_that_is_too_large_is_not_read_to_its_end(guard):
    asked = []

    async def counting(scope, receive, send):
        async def receive_one():
            asked.append(1)
            return await receive()

        await echo(scope, receive_one, send)

    guard.app = counting
    assert ask(guard, parts=[b"x" * 1000] * 100)[0] == 413
    assert len(asked) == 17
