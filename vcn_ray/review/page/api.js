// What the page asks of the server that served it, and nobody else. Each answer is JSON; a refusal is an `ApiError`
// with the server's sentence, and with the season as it is now where somebody else was faster (409).

/** An answer that is none: `status` 0 where the server could not be reached. */
export class ApiError extends Error {
  constructor(message, status, season = null) {
    super(message);
    this.status = status;
    this.season = season;
  }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. Is “vcn-ray review” still running?", 0);
  }
  let content = null;
  try {
    content = await answer.json();
  } catch {
    // not JSON: the sentence below has to do
  }
  if (answer.ok) return content;
  const known = {
    403: "This address is no longer good: open the one that “vcn-ray review” printed.",
    404: "That is not there (any more).",
    413: "That is too much at once: select fewer.",
  };
  const sentence = content?.error ?? known[answer.status] ?? `The server answered ${answer.status}.`;
  throw new ApiError(sentence, answer.status, content?.season ?? null);
}

/** What is at a path; `parameters` that are null are left out. */
export function get(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  const query = given.length ? `?${new URLSearchParams(given)}` : "";
  return ask(path + query, { signal });
}

/** Tell the server something. */
export function post(path, content) {
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
  });
}
