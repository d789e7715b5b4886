// One run through slots: every clip begins at its time on the audio clock, the first press counts, and every slot
// that has begun ends with an answer, be it a timeout.

const LEAD_S = 0.6;
const GRACE_S = 0.03;
const AHEAD = 3;
const MOST_S = 86400; // more is refused; a phase that goes on the next day says this

const round = (value, digits) => Number(value.toFixed(digits));

export class Run {
  // `slots`: [{slot, clip}]; `base_s`: seconds from the first onset of the phase to that of this run.
  // `begun(row)` hears that a slot sounds, `answered(row)` what came of it.
  constructor(sound, board, { slots, timing, base_s, begun, answered }) {
    Object.assign(this, { sound, board, slots, timing, base_s, begun, answered });
    this.place = 0;
    this.open = null;
    this.current = null;
    this.playing = null;
    this.undo = [];
    this.over = false;
  }

  // Resolves with "done", or with "stopped" after `stop`.
  play() {
    return new Promise((done) => {
      this.done = done;
      this.zero = this.sound.now + LEAD_S;
      this.next(this.zero);
    });
  }

  async next(time) {
    if (this.over) return;
    if (this.place >= this.slots.length) {
      this.later(time, () => this.end());
      return;
    }
    const here = this.slots[this.place];
    let buffer;
    try {
      buffer = await this.sound.buffer(here.clip);
    } catch {
      this.stop();
      return;
    }
    for (const later of this.slots.slice(this.place + 1, this.place + AHEAD))
      this.sound.buffer(later.clip).catch(() => {});
    if (this.over) return;
    const { onset, stop } = this.sound.start(buffer, time);
    this.playing = { onset, stop };
    if (this.place === 0) this.zero = onset;
    this.later(onset, () => this.begin(here, onset, onset - time));
  }

  later(time, act) {
    this.undo.push(
      this.sound.at(time, () => {
        if (!this.over) act();
      }),
    );
  }

  begin(here, onset, late_s) {
    const { clip_s, gap_s, window_s } = this.timing;
    this.settle("timeout", null);
    this.undo = [];
    this.place += 1;
    const now = {
      onset,
      slot: here.slot,
      onset_s: round(Math.min(MOST_S, Math.max(0, this.base_s + onset - this.zero)), 4),
      late_ms: round(1000 * late_s, 1),
    };
    this.open = now;
    this.current = now;
    this.begun({ slot: now.slot, onset_s: now.onset_s, late_ms: now.late_ms });
    this.board.open(true);
    this.board.sound(true);
    this.later(onset + clip_s, () => this.board.sound(false));
    this.later(onset + clip_s + window_s + Math.min(GRACE_S, gap_s - window_s), () => {
      if (this.current !== now) return;
      this.settle("timeout", null);
      this.board.open(false);
    });
    this.later(onset + clip_s + Math.max(0.5 * gap_s, gap_s - 0.5), () => this.next(onset + clip_s + gap_s));
  }

  // A press at any time; only the first one from the onset of a clip to the end of its window counts.
  press(answer, event) {
    if (!this.open) return;
    const rt_s = this.sound.timeOf(event) - this.open.onset;
    if (rt_s < 0 || rt_s > this.timing.clip_s + this.timing.window_s) return;
    this.settle(answer, round(1000 * rt_s, 1));
    this.board.choose(answer);
  }

  settle(answer, rt_ms) {
    if (!this.open) return;
    const { slot, onset_s, late_ms } = this.open;
    this.open = null;
    this.answered({ slot, answer, rt_ms, onset_s, late_ms });
  }

  // Break off. A slot that sounds is recorded as it was; one that has not begun is left for later.
  stop() {
    if (this.over) return;
    this.over = true;
    for (const undo of this.undo) undo();
    this.playing?.stop();
    this.settle("timeout", null);
    this.board.sound(false);
    this.board.open(false);
    this.done("stopped");
  }

  end() {
    this.settle("timeout", null);
    this.over = true;
    this.done("done");
  }
}
