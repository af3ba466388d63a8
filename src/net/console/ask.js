// What the page asks of the server beside its stream.
//
// Promise: an answer or a sentence that a person can act on; nothing is thrown.

/**
 * Reads from an address, or has something done when there is a body.
 * @param {string} url @param {object} [body]
 * @returns {Promise<{said: any, problem: string}>} the answer, and what went wrong, or an empty text
 */
export async function ask(url, body) {
  const how = body === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  };
  const reply = await fetch(url, how).catch(() => null);
  const said = await reply?.json().catch(() => null);
  if (reply?.ok) return { said, problem: "" };
  const problem = said?.detail ?? `Not done${reply ? ` (${reply.status})` : ": the server cannot be reached"}. Try again.`;
  return { said: null, problem };
}

/** Has something done; what went wrong, or an empty text. @param {string} url @param {object} body */
export const post = async (url, body) => (await ask(url, body)).problem;
