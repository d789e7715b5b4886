// Sounds that the page makes itself: a short tune to set the volume by, and the tones of the headphone check.

const TUNE = [0, 7, 12, 16, 19, 16, 12, 7]; // semitones above the key
const KEYS_HZ = [220, 174.61, 261.63, 196];
const BEAT_S = 0.32;
const TUNE_PEAK = 0.35;
const TONE_PEAK = 0.25;
const RAMP_S = 0.1;

// A loop of plucked notes, about as loud as the clips are.
export function tune(context) {
  const rate = context.sampleRate;
  const length = Math.round(TUNE.length * KEYS_HZ.length * BEAT_S * rate);
  const sound = new Float32Array(length);
  KEYS_HZ.forEach((key, bar) => {
    TUNE.forEach((step, place) => {
      const hz = key * 2 ** (step / 12);
      const from = Math.round((bar * TUNE.length + place) * BEAT_S * rate);
      for (let i = 0; i < 1.2 * rate; i += 1) {
        const t = i / rate;
        const swell = Math.min(1, t / 0.004);
        let value = 0;
        for (let k = 1; k <= 4; k += 1)
          value += (Math.sin(2 * Math.PI * k * hz * t) / k ** 1.5) * Math.exp(-2.5 * k * t);
        sound[(from + i) % length] += swell * value;
      }
    });
  });
  let peak = 0;
  for (const value of sound) peak = Math.max(peak, Math.abs(value));
  const buffer = context.createBuffer(2, length, rate);
  for (let channel = 0; channel < 2; channel += 1) {
    buffer.getChannelData(channel).set(sound.map((value) => (TUNE_PEAK / peak) * value));
  }
  return buffer;
}

// One interval of the headphone check: a tone, softer or with its right channel turned round.
export function tone(context, { hz, seconds, gain_db = 0, antiphase = false }) {
  const rate = context.sampleRate;
  const length = Math.round(seconds * rate);
  const ramp = Math.min(RAMP_S, seconds / 4) * rate;
  const buffer = context.createBuffer(2, length, rate);
  const [left, right] = [buffer.getChannelData(0), buffer.getChannelData(1)];
  const size = TONE_PEAK * 10 ** (gain_db / 20);
  for (let i = 0; i < length; i += 1) {
    const edge = Math.min(1, i / ramp, (length - 1 - i) / ramp);
    left[i] = size * Math.sin((Math.PI / 2) * edge) ** 2 * Math.sin((2 * Math.PI * hz * i) / rate);
    right[i] = antiphase ? -left[i] : left[i];
  }
  return buffer;
}
