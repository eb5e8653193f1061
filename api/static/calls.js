// Calls of the API. An answer is kept until the data changes, so that two parts that need the same ask once.

const kept = new Map();

/** What went wrong with a call, in a sentence for the reader. */
export class CallFailed extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** Return the JSON at a path below /api/v1. */
export function get(path, parameters = {}) {
  const said = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  const address = `/api/v1/${path}${said.size ? `?${said}` : ""}`;
  if (!kept.has(address)) {
    const answer = call(address);
    kept.set(address, answer);
    answer.catch(() => kept.delete(address));
  }
  return kept.get(address);
}

/** Return the health, which is the same object whatever its status is. */
export async function health() {
  const response = await asked("/api/v1/health");
  const body = await response.json().catch(() => null);
  if (body?.trust === undefined) throw await failure(response, body);
  return body;
}

/** Begin a collection; a token is sent as either of the two kinds that there are (ADMIN_TOKEN, or one of API_TOKENS). */
export async function collect(token) {
  return call("/api/v1/admin/collect", { method: "POST", headers: token ? { "X-Admin-Token": token, Authorization: `Bearer ${token}` } : {} });
}

/** Forget all answers: the next call asks again. */
export function forget() {
  kept.clear();
}

async function call(address, options) {
  const response = await asked(address, options);
  const body = await response.json().catch(() => null);
  if (!response.ok) throw await failure(response, body);
  const age = response.headers.get("X-Stale-Seconds");
  if (body !== null && typeof body === "object" && age !== null) body.stale_seconds = Number(age);
  return body;
}

async function asked(address, options) {
  try {
    return await fetch(address, { signal: AbortSignal.timeout(15000), ...options });
  } catch (error) {
    throw new CallFailed(0, error.name === "TimeoutError" ? "The API did not answer within 15 seconds." : "The API can\u2019t be reached.");
  }
}

function failure(response, body) {
  return new CallFailed(response.status, body?.detail ?? `The API answered ${response.status}.`);
}
