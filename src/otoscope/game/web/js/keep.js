// What the page remembers over a reload: the token, the volume, the slot that sounds. Nothing where the browser
// forbids it.

const PREFIX = "otoscope.";
const memory = new Map();

function place(name) {
  try {
    const found = globalThis[name];
    found.setItem(`${PREFIX}try`, "1");
    found.removeItem(`${PREFIX}try`);
    return found;
  } catch {
    return {
      getItem: (key) => memory.get(name + key) ?? null,
      setItem: (key, value) => memory.set(name + key, value),
      removeItem: (key) => memory.delete(name + key),
    };
  }
}

const lasting = place("localStorage");
const passing = place("sessionStorage");

export function read(key, { tab = false } = {}) {
  try {
    return JSON.parse((tab ? passing : lasting).getItem(PREFIX + key));
  } catch {
    return null;
  }
}

export function write(key, value, { tab = false } = {}) {
  const where = tab ? passing : lasting;
  try {
    if (value === null) where.removeItem(PREFIX + key);
    else where.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // No room: what is sent does not need it, only a reload would.
  }
}
