// The documented HTTP API, by fetch. Paths are those of docs/http.md; a token is asked for once and kept for this tab.
// What goes wrong is thrown as a Problem, whose message says in words what to do.

import { parse } from "./parts/exact.js";

const KEPT = "overwinter.token", PLAIN = /^[\x21-\x7e]+$/;
let asked = null, entered;

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The server answered ${status}.`);
    this.name = "Problem";
    this.status = status;
    this.document = document;
  }
}

/** An id as the last part of a path: its slashes stay as they are. */
export function part(id) {
  return String(id).split("/").map(encodeURIComponent).join("/");
}

/** `path?name=value…`; what is empty is left out, and lists stand several times. */
export function query(path, values) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") given.append(name, one);
    }
  }
  const text = given.toString();
  return text ? `${path}?${text}` : path;
}

async function problemOf(response) {
  const text = await response.text();
  try {
    return new Problem(response.status, JSON.parse(text));
  } catch {
    return new Problem(response.status, { detail: text.slice(0, 300) });
  }
}

async function askToken(wrong) {
  // Several requests may be refused at once: one dialog for all of them.
  asked ??= import("./parts/dialog.js")
    .then(({ askFor }) => askFor({
      title: "Access token",
      text: wrong ? "That token was refused." : "This server wants its API token. It is kept for this tab only.",
      label: "Token", type: "password", action: "Go on",
    }))
    .finally(() => { asked = null; });
  return asked;
}

async function request(method, path, { body, headers = {}, signal } = {}) {
  for (let odd = false; ;) {
    const token = sessionStorage.getItem(KEPT);
    const sent = { Accept: "application/json", ...headers };
    if (token) sent.Authorization = `Bearer ${token}`;
    if (body !== undefined) sent["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(path, {
        method, signal, headers: sent, cache: "no-store", credentials: "omit", redirect: "error",
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(0, { detail: "The server can't be reached. It is tried again when you do something." });
    }
    if (response.status === 401) {
      if (sessionStorage.getItem(KEPT) !== token) continue; // somebody else was asked meanwhile
      const given = (await askToken(token !== null || odd))?.trim();
      if (!given) throw await problemOf(response);
      odd = !PLAIN.test(given); // no header could carry it: it was copied with something around it
      if (!odd) sessionStorage.setItem(KEPT, given);
      continue;
    }
    if (!response.ok) throw await problemOf(response);
    if (token !== entered) { // somebody was let in, perhaps after they had not been
      entered = token;
      document.dispatchEvent(new Event("entered"));
    }
    return response;
  }
}

async function read(method, path, options) {
  const response = await request(method, path, options);
  const text = await response.text();
  if (!text) return null;
  return (response.headers.get("content-type") ?? "").includes("json") ? parse(text) : text;
}

/** Server-sent events of a GET (or of what `method` and `body` say), until the server ends them or `signal` does. `tell(name, data, id)` for each one;
 *  comments are told as the name "". Resolves with the response's status: 204 is "nothing is left to tell". */
async function stream(path, tell, { signal, last = "", method = "GET", body } = {}) {
  const headers = { Accept: "text/event-stream" };
  if (last) headers["Last-Event-ID"] = last;
  const response = await request(method, path, { headers, signal, body });
  if (response.status === 204) return 204;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "", event = { name: "message", data: [], id: last };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return response.status;
    const lines = (held + value).split("\n");
    held = lines.pop();
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (event.data.length) tell(event.name, parsed(event.data.join("\n")), event.id);
        event = { name: "message", data: [], id: event.id };
      } else if (line.startsWith(":")) tell("", null, event.id);
      else {
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "data") event.data.push(text);
        else if (field === "event") event.name = text;
        else if (field === "id") event.id = text;
      }
    }
  }
}

function parsed(text) {
  try { return parse(text); } catch { return text; }
}

export const api = {
  get: (path, options) => read("GET", path, options),
  post: (path, body = {}, options) => read("POST", path, { ...options, body }),
  put: (path, body = {}, options) => read("PUT", path, { ...options, body }),
  patch: (path, body = {}, options) => read("PATCH", path, { ...options, body }),
  delete: (path, options) => read("DELETE", path, options),
  request, stream, part, query,
};
