// Answers on their way to the server: kept in the browser before they are sent, sent one after another in the order
// of the slots, kept until the server has said that they are stored.
//
// localStorage rather than IndexedDB: its write is done when the call returns, so that an answer given in the instant
// of a reload is not lost in a transaction that was still open.

import { call, insist, lost, pauseOf, Refused, waitOrOnline } from "./api.js";
import { read, write } from "./keep.js";

export class Outbox {
  constructor(session, phaseOf, { changed = () => {}, ended = () => {} } = {}) {
    this.key = `outbox.${session}`;
    this.phaseOf = phaseOf;
    this.changed = changed;
    this.ended = ended;
    this.waiting = read(this.key) ?? [];
    this.refused = [];
    this.offline = false;
    this.running = false;
    this.closed = false;
    this.emptied = [];
  }

  get length() {
    return this.waiting.length;
  }

  has(slot) {
    return this.waiting.some((row) => row.slot === slot);
  }

  add(row) {
    if (this.closed || this.has(row.slot)) return;
    this.waiting.push(row);
    this.keep();
    this.send();
  }

  keep() {
    write(this.key, this.waiting.length ? this.waiting : null);
    this.changed(this);
  }

  // Resolves when nothing waits any more.
  empty() {
    this.send();
    if (!this.waiting.length) return Promise.resolve();
    return new Promise((done) => this.emptied.push(done));
  }

  // Forget what waits: the player has withdrawn.
  close() {
    this.closed = true;
    this.waiting = [];
    this.keep();
    this.release();
  }

  release() {
    for (const done of this.emptied.splice(0)) done();
  }

  async send() {
    if (this.running || this.closed) return;
    this.running = true;
    let tries = 0;
    while (this.waiting.length && !this.closed) {
      const { slot, ...body } = this.waiting[0];
      try {
        const said = await call("PUT", `session/responses/${slot}`, body);
        if (said.stored !== true || said.slot !== slot) throw new Error("not stored");
      } catch (error) {
        if (this.closed) break;
        if (error.code === "phase_not_started") {
          await insist("POST", `session/phases/${this.phaseOf(slot)}/start`, {}).catch(() => {});
        } else if (error.status === 401 || error.code === "withdrawn") {
          this.close();
          this.ended(error);
          break;
        } else if (error instanceof Refused && !error.passes && error.code !== "unknown") {
          this.drop(slot, error.code);
          continue;
        }
        tries += 1;
        this.offline = lost(error);
        this.changed(this);
        await waitOrOnline(pauseOf(error, tries));
        continue;
      }
      tries = 0;
      this.offline = false;
      this.drop(slot, null);
    }
    this.running = false;
    if (!this.waiting.length) this.release();
  }

  // A conflict means that the server has an answer to this slot already, which stays.
  drop(slot, code) {
    if (code && code !== "conflict") this.refused.push({ slot, code });
    this.waiting = this.waiting.filter((row) => row.slot !== slot);
    this.keep();
  }
}
