// Phases and the rests between them.

import { insist, lost } from "./api.js";
import { Board } from "./board.js";
import { actions, button, el, line, note, progress, say, show } from "./dom.js";
import { read, write } from "./keep.js";
import { Run } from "./run.js";
import { t } from "./words.js";

const MANY_WAIT = 3;

export class Game {
  constructor(study, state, sound, outbox) {
    Object.assign(this, { study, sound, outbox });
    this.session = state.session;
    this.run = null;
    this.zeroes = new Map();
    this.take(state);
    outbox.changed = () => this.tellOfNetwork();
  }

  take(state) {
    this.state = state;
    this.answered = new Set([...state.answered, ...this.outbox.waiting.map(({ slot }) => slot)]);
    this.recallInterrupted();
  }

  // A slot that sounded when the page was left has no answer: it is a timeout, and is not played again.
  recallInterrupted() {
    const row = read(`begun.${this.session}`);
    if (row && !this.answered.has(row.slot)) {
      this.answered.add(row.slot);
      this.outbox.add({ slot: row.slot, answer: "timeout", rt_ms: null, onset_s: row.onset_s, late_ms: row.late_ms });
    }
    write(`begun.${this.session}`, null);
  }

  get playing() {
    return this.run !== null;
  }

  tellOfNetwork() {
    if (this.outbox.offline) note(t("net.offline"));
    else note(this.outbox.length > MANY_WAIT ? t("net.saving") : "");
  }

  left(phase) {
    return phase.slots.filter(({ slot }) => !this.answered.has(slot));
  }

  showProgress() {
    const total = this.state.phases.reduce((sum, phase) => sum + phase.slots.length, 0);
    const left = this.state.phases.reduce((sum, phase) => sum + this.left(phase).length, 0);
    progress((total - left) / total, t("play.progress"));
  }

  // Play all that is left. Resolves when every slot has an answer, on its way at least.
  async play() {
    for (const phase of this.state.phases) {
      if (!this.left(phase).length) continue;
      this.showProgress();
      const rested = phase.index > 0 && phase.started_s_ago === null;
      await (rested ? this.rest(phase) : this.ready(phase));
      await this.phase(phase);
    }
    progress(null);
  }

  // Fetch the clips of a phase; asks again where that fails.
  async preload(phase, told) {
    const ids = this.left(phase).map(({ clip }) => clip);
    this.sound.forget(ids);
    for (;;) {
      try {
        await this.sound.load(ids, told);
        return;
      } catch {
        note(t("load.failed"));
        await new Promise((done) => {
          show(
            "trouble",
            t("load.failed"),
            [
              el("p", { text: t("load.failed_how") }),
              actions(button(t("try_again"), done, { kind: "main", id: "again" })),
            ],
            { centred: true },
          );
        });
        note("");
      }
    }
  }

  async ready(phase) {
    const { bar, set } = line(t("load.title"));
    show("load", t("load.title"), [el("p", { text: t("load.how") }), bar], { centred: true });
    await this.preload(phase, set);
    const begun = phase.started_s_ago !== null;
    const heading = t(begun ? "ready.again" : "ready.title");
    await new Promise((done) => {
      show(
        "ready",
        heading,
        [
          el("p", { text: t(begun ? "ready.again_how" : "ready.how") }),
          actions(button(t(begun ? "go_on" : "ready.go"), done, { kind: "main", id: "begin" })),
          el("p", { class: "small", text: t("ready.leave") }),
        ],
        { centred: true },
      );
    });
  }

  async phase(phase) {
    if (!(await this.sound.wake())) await this.paused();
    const started = await insist(
      "POST",
      `session/phases/${phase.index}/start`,
      {},
      { waiting: (error) => this.waiting(error) },
    );
    const zero = performance.now() - 1000 * started.started_s_ago;
    let fresh = phase.started_s_ago === null && started.started_s_ago < 1;
    phase.started_s_ago = started.started_s_ago;
    for (let slots = this.left(phase); slots.length; slots = this.left(phase)) {
      const base_s = fresh ? 0 : (performance.now() - zero) / 1000;
      fresh = false;
      await this.stretch(slots, base_s);
      if (this.left(phase).length) await this.paused();
    }
  }

  waiting(error) {
    note(error && lost(error) ? t("net.waiting") : "");
  }

  async stretch(slots, base_s) {
    const board = new Board("play", t("play.title"), this.study.keys, (answer, event) =>
      this.run?.press(answer, event),
    );
    this.run = new Run(this.sound, board, {
      slots,
      timing: this.study.timing,
      base_s,
      begun: (row) => write(`begun.${this.session}`, row),
      answered: (row) => {
        this.answered.add(row.slot);
        this.outbox.add(row);
        write(`begun.${this.session}`, null);
        this.showProgress();
      },
    });
    this.sound.interrupted = () => this.interrupt();
    if (document.hidden) this.interrupt();
    else await this.run.play();
    this.sound.interrupted = () => {};
    board.close();
    this.run = null;
  }

  // The page is hidden, sound was taken away, or the menu opens.
  interrupt() {
    this.run?.stop();
  }

  async paused() {
    do {
      await new Promise((done) => {
        show(
          "paused",
          t("paused.title"),
          [el("p", { text: t("paused.how") }), actions(button(t("go_on"), done, { kind: "main", id: "resume" }))],
          { centred: true },
        );
      });
    } while (!(await this.sound.wake()));
  }

  async rest(phase) {
    const { state, study } = this;
    const given_s = state.stage === "rest" && state.phase === phase.index ? state.rest_left_s : study.timing.rest_s;
    const from = performance.now();
    let left_s = given_s;
    const { bar, set } = line(t("rest.line"));
    const status = el("p", { class: "small", text: t("rest.wait") });
    let loaded = false;
    let ready = false;
    await new Promise((done) => {
      const go = button(t("rest.go"), () => (ready ? finish() : say(t("rest.wait"))), {
        kind: "main",
        id: "go-on",
        "aria-disabled": "true",
      });
      const finish = () => {
        clearInterval(timer);
        done();
      };
      const look = () => {
        const gone_s = (performance.now() - from) / 1000;
        set(left_s ? Math.min(1, gone_s / left_s) : 1);
        if (ready || !loaded || gone_s < left_s) return;
        ready = true;
        go.setAttribute("aria-disabled", "false");
        status.textContent = t("rest.ready");
        say(t("rest.ready"));
      };
      const timer = setInterval(look, 250);
      const draw = () =>
        show(
          "rest",
          t("rest.title"),
          [
            el("div", { class: "circle", "aria-hidden": "true" }),
            el("p", { text: t("rest.how") }),
            bar,
            actions(go),
            status,
          ],
          { centred: true },
        );
      draw();
      this.outbox.empty().then(async () => {
        const now = await insist("GET", "session").catch(() => null);
        if (now?.stage === "rest" && now.phase === phase.index)
          left_s = (performance.now() - from) / 1000 + now.rest_left_s;
        else if (now?.stage === "play" && now.phase === phase.index) left_s = 0;
      });
      this.preload(phase, () => {}).then(() => {
        loaded = true;
        if (!go.isConnected) draw(); // the screen that said that clips could not be fetched stood in its place
        look();
      });
    });
  }

  // Wait until the server has everything.
  async saved() {
    if (!this.outbox.length) return;
    const text = el("p", { text: t("saving.how") });
    show("saving", t("saving.title"), [text], { centred: true });
    await this.outbox.empty();
  }
}
