import createClient, { type Middleware } from "openapi-fetch";
import { connectionError, errorFrom, errorOf } from "./errors";
import { authorization, keyRefused } from "./key";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

const keyed: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
  onResponse({ response }) {
    if (response.status === 401) keyRefused();
  },
};

/** The one client of the server's API, typed by its OpenAPI document. Wrap calls in `unwrap`. */
export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "",
  // Looked up at each call, so that tests can put theirs in its place.
  fetch: (request) => globalThis.fetch(request),
});
api.use(keyed);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Returns what a call of `api` gives; throws an `ApiError` with the server's own words where it refuses. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call.catch(unreachable);
  if (!response.ok) throw await errorFrom(error, response);
  return data as T;
}

/** Fetches `path` of the API with the key, for what the document gives no types to. Throws an `ApiError`. */
export async function fetchApi(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(authorization())) headers.set(name, value);
  if (typeof init.body === "string" && !headers.has("Content-Type")) headers.set("Content-Type", "application/json");
  const response = await globalThis.fetch(path, { ...init, headers }).catch(unreachable);
  if (response.status === 401) keyRefused();
  if (!response.ok) throw await errorOf(response);
  return response;
}

/** Posts `body` as JSON, or gets where there is none, and returns the JSON that comes. */
export async function fetchJson<T>(path: string, body?: unknown, init: RequestInit = {}): Promise<T> {
  const posted = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetchApi(path, { ...posted, ...init });
  return (await response.json()) as T;
}

function unreachable(reason: unknown): never {
  if (reason instanceof DOMException && reason.name === "AbortError") throw reason;
  throw connectionError("unreachable");
}
