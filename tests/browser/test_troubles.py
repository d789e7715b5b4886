"""What stands between the page and the server, and what a player does who comes back."""

from __future__ import annotations

import time

DESK = (1280, 800)

_PORTAL = """
const sent = window.fetch;
window.__portal = 0;
window.fetch = (url, options) => {
  if (options?.method !== "PUT" || window.__portal >= arguments[0].length) return sent(url, options);
  const status = arguments[0][window.__portal++];
  return Promise.resolve(new Response("<html>Please log in</html>", {status}));
};
"""
_NO_CLIPS = """
const sent = window.fetch;
window.__clips = false;
window.fetch = (url, options) =>
  !window.__clips && String(url).startsWith("clips/")
    ? Promise.resolve(new Response("{}", {status: 404}))
    : sent(url, options);
"""
_ONE_SITTING = """
const sent = window.fetch;
window.fetch = async (url, options) => {
  const answer = await sent(url, options);
  if (!String(url).startsWith("api/study")) return answer;
  return new Response(JSON.stringify({...await answer.json(), second_sitting: null}), {status: 200});
};
"""


def play(page, last: int = -1) -> None:
    while True:
        row = page.next_slot(last)
        if row["slot"] is None:
            return
        last = row["slot"]
        time.sleep(0.1)
        page.answer("new")


def new_tab(page) -> None:
    """Close the tab and open another, which knows of one sitting only."""
    driver = page.driver
    old = driver.current_window_handle
    driver.switch_to.new_window("tab")
    new = driver.current_window_handle
    driver.switch_to.window(old)
    driver.close()
    driver.switch_to.window(new)
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _ONE_SITTING})


def test_a_hotspots_page_loses_no_answer_lost_clips_no_rest_and_a_closed_tab_no_code(served, player):
    page = player(DESK)
    page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _ONE_SITTING})
    page.open("?PROLIFIC_PID=comesback1")
    page.begin(headphones="none")
    page.run(_PORTAL, [200, 403, 404, 200])
    page.press("#begin")
    page.wait("play")
    page.run(_NO_CLIPS)
    play(page)
    page.wait("trouble")
    page.run("window.__clips = true")
    page.press("#again")
    page.wait("rest")
    page.press("#go-on")
    page.wait("play")
    play(page)
    page.wait("end")
    assert page.run("return window.__portal") == 4
    rows = served.answers(served.last_sitting()["session"])
    assert {row["answer"] for row in rows.values()} == {"new"}
    assert sorted(rows) == list(range(28))

    code = served.last_sitting()["code"]
    for who, screen in (("comesback1", "end"), ("another1", "welcome")):
        new_tab(page)
        page.open(f"?PROLIFIC_PID={who}")
        page.wait(screen)
        if screen == "end":
            assert page.run("return document.getElementById('code').textContent") == code
