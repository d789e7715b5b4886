// Requests to the server of the study.

const TIMEOUT_S = 20;
const LONGEST_S = 15;

export class Refused extends Error {
  constructor(status, body, retryAfter) {
    super(body.message ?? `status ${status}`);
    this.status = status;
    this.code = body.error ?? "unknown";
    this.body = body;
    this.retry_after_s = body.retry_after_s ?? (retryAfter ? Number(retryAfter) : null);
  }

  // Whether the same request may be taken later.
  get passes() {
    return this.status >= 500 || [408, 425, 429].includes(this.status);
  }
}

let token = null;

export function useToken(value) {
  token = value;
}

export async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 1000 * TIMEOUT_S);
  try {
    const answer = await fetch(`api/${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal: stop.signal,
    });
    // A page that something on the way put in its place (a hotspot's login) is no answer.
    const found = await answer.json().catch((error) => {
      if (answer.ok) throw error;
      return {};
    });
    if (!answer.ok) throw new Refused(answer.status, found, answer.headers.get("Retry-After"));
    return found;
  } finally {
    clearTimeout(timer);
  }
}

// How long to wait before try number `tries` (from 1): twice as long every time, with jitter, to an upper end.
export function backoff(tries, random = Math.random) {
  return Math.min(LONGEST_S, 0.4 * 2 ** (tries - 1)) * (0.5 + random());
}

export function pauseOf(error, tries) {
  if (error instanceof Refused && error.retry_after_s !== null) return error.retry_after_s + 0.1 * Math.random();
  return backoff(tries);
}

export const lost = (error) => !(error instanceof Refused);

// Wait; the network's return ends a wait early.
export function waitOrOnline(seconds) {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      done();
    };
    const timer = setTimeout(end, 1000 * seconds);
    addEventListener("online", end);
  });
}

// Ask until there is an answer. `waiting` is told after a failure, and with null at the end.
export async function insist(method, path, body, { waiting = () => {}, tries = Infinity } = {}) {
  for (let n = 1; ; n += 1) {
    try {
      const answer = await call(method, path, body);
      waiting(null);
      return answer;
    } catch (error) {
      if ((error instanceof Refused && !error.passes) || n >= tries) {
        waiting(null);
        throw error;
      }
      waiting(error);
      await waitOrOnline(pauseOf(error, n));
    }
  }
}
