// Sound: one context for the page, clips decoded before they are needed, everything timed on the audio clock.

import { pauseOf, Refused, waitOrOnline } from "./api.js";
import { wait } from "./dom.js";

const PARALLEL = 4;
const TRIES = 8;
const MOST_DECODED = 40e6; // samples that stay decoded, about 160 MB
const FADE_S = 0.012;

export class Sound {
  constructor() {
    this.context = null;
    this.clips = new Map();
    this.decoded = 0;
    this.level = 0.4;
    this.interrupted = () => {};
  }

  // To be called in a gesture: browsers let sound begin only there.
  async wake() {
    if (!this.context) {
      if (navigator.audioSession) navigator.audioSession.type = "playback";
      this.context = new AudioContext({ latencyHint: "interactive" });
      this.gain = this.context.createGain();
      this.gain.connect(this.context.destination);
      this.setLevel(this.level);
      this.context.addEventListener("statechange", () => {
        if (this.context.state !== "running") this.interrupted();
      });
    }
    if (this.context.state !== "running") await Promise.race([this.context.resume(), wait(2)]);
    return this.context.state === "running";
  }

  get awake() {
    return this.context?.state === "running";
  }

  get now() {
    return this.context.currentTime;
  }

  setLevel(level) {
    this.level = level;
    if (this.gain) this.gain.gain.setTargetAtTime(level * level, this.context.currentTime, 0.02);
  }

  // When, on the audio clock, what is heard at the moment of an event was played.
  timeOf(event) {
    const ago_s = Math.max(0, (performance.now() - event.timeStamp) / 1000);
    const latency_s = this.context.outputLatency || this.context.baseLatency || 0;
    const plain = this.context.currentTime - ago_s - latency_s;
    const stamp = this.context.getOutputTimestamp?.();
    if (!stamp || !stamp.performanceTime || !stamp.contextTime) return plain;
    const exact = stamp.contextTime + (event.timeStamp - stamp.performanceTime) / 1000;
    return Math.abs(exact - plain) < 0.5 ? exact : plain;
  }

  // Call `act` once the audio clock has reached a time; gives a function that takes it back.
  at(time, act) {
    let timer;
    const look = () => {
      const left_s = time - this.context.currentTime;
      if (left_s <= 0.001) act();
      else timer = setTimeout(look, Math.max(4, 1000 * left_s));
    };
    look();
    return () => clearTimeout(timer);
  }

  // Fetch and decode clips; `told` hears the share that is done. Gives up on one only after many tries.
  async load(ids, told = () => {}) {
    const open = [...new Set(ids)].filter((id) => !this.clips.has(id));
    const total = open.length;
    let done = 0;
    told(total ? 0 : 1);
    const work = async () => {
      while (open.length) {
        const id = open.shift();
        const bytes = await fetchClip(id);
        const clip = { bytes, buffer: null };
        this.clips.set(id, clip);
        try {
          await this.decode(clip);
        } catch (error) {
          this.clips.delete(id);
          throw error;
        }
        done += 1;
        told(done / total);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
  }

  async decode(clip) {
    if (clip.buffer) return clip.buffer;
    const buffer = await this.context.decodeAudioData(clip.bytes.slice(0));
    const size = buffer.length * buffer.numberOfChannels;
    if (this.decoded + size <= MOST_DECODED) {
      this.decoded += size;
      clip.buffer = buffer;
    }
    return buffer;
  }

  buffer(id) {
    return this.decode(this.clips.get(id));
  }

  // Let go of the clips of a phase that is over.
  forget(keep = []) {
    for (const [id, clip] of this.clips) {
      if (keep.includes(id)) continue;
      if (clip.buffer) this.decoded -= clip.buffer.length * clip.buffer.numberOfChannels;
      this.clips.delete(id);
    }
  }

  // Play a buffer at a time of the audio clock; if that has passed, at once. Gives when it begins, and a way to stop
  // it.
  start(buffer, time) {
    const source = this.context.createBufferSource();
    const fade = this.context.createGain();
    source.buffer = buffer;
    source.connect(fade).connect(this.gain);
    const onset = Math.max(time, this.context.currentTime);
    source.start(onset);
    const stop = () => {
      const now = this.context.currentTime;
      fade.gain.setTargetAtTime(0, now, FADE_S / 3);
      source.stop(now + FADE_S);
    };
    return { onset, stop };
  }
}

async function fetchClip(id) {
  for (let n = 1; ; n += 1) {
    try {
      const answer = await fetch(`clips/${encodeURIComponent(id)}`, { credentials: "omit" });
      if (answer.ok) return await answer.arrayBuffer();
      throw new Refused(answer.status, {}, answer.headers.get("Retry-After"));
    } catch (error) {
      if (n >= TRIES || (error instanceof Refused && !error.passes)) throw error;
      await waitOrOnline(pauseOf(error, n));
    }
  }
}
