/* The REST API from the pages: session cookie, CSRF token, errors as sentences. */

import { noteServerDate } from "./clock.js";

export class ApiError extends Error {
  constructor(status, errors, body = {}) {
    super(errors[0]?.detail || "The server did not answer as expected. Try again.");
    this.status = status;
    this.code = errors[0]?.code || "unknown";
    this.errors = errors;
    this.body = body;
  }
}

const csrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content || "";

/** JSON of `path`; throws ApiError with a sentence a person can read. A session that ended leads to sign-in. */
export async function callApi(path, { method = "GET", body = undefined, signal = undefined } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const askedMs = Date.now();
  let response;
  try {
    response = await fetch(path, {
      method, headers, signal, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, [{ code: "no_answer", detail: "The server does not answer. Is it running, and the network up?" }]);
  }
  noteServerDate(response.headers.get("Date"), askedMs, Date.now());
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const errors = Array.isArray(answer.errors) ? answer.errors : [];
  if (response.status === 401 || errors[0]?.code === "not_authenticated") {
    document.dispatchEvent(new CustomEvent("heron:signed-out"));
  }
  throw new ApiError(response.status, errors, answer);
}
