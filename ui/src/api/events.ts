import { createParser } from "eventsource-parser";
import { fetchApi } from "./client";
import { ApiError, connectionError } from "./errors";
import { onKeyGiven } from "./key";
import { untilVisible, whenHidden } from "./pageVisibility";

/** One server-sent event. `data` is as it came: most senders' is JSON. */
export interface ServerEvent {
  name: string;
  data: string;
  id: string | undefined;
}

export type StreamState = "connecting" | "open" | "waiting" | "closed";

export interface StreamOptions {
  onEvent: (event: ServerEvent) => void;
  /** Called as the connection comes and goes; `error` says why it waits, or why it is closed for good. */
  onState?: (state: StreamState, error?: ApiError) => void;
  /** The event after which to begin. */
  lastEventId?: string;
  init?: RequestInit;
  /** Waits between attempts, in milliseconds; the last one is repeated. */
  backoff?: readonly number[];
  /** Whether a stream that the server ended is opened again. One answer's stream is not; a feed is. */
  reopens?: boolean;
  /** Whether it goes on while nobody sees the page, rather than until the page is seen again. */
  whileHidden?: () => boolean;
}

/** The server fills silences of ten seconds: after this one the connection is lost, though nobody has said so. */
const SILENT_MS = 30_000;

const BACKOFF = [250, 500, 1000, 2000, 5000, 10_000] as const;

/**
 * Follows the server-sent events at `path` until it ends or the returned function is called. Unlike `EventSource` it
 * sends the key in a header. A broken connection is opened again after the last event that came (`Last-Event-ID`), so
 * that nothing is lost or comes twice. What the server refuses for good (4xx) ends it; a missing key waits for one.
 * A page that nobody sees gives its connection up, of which a browser has six for all tabs.
 */
export function followEvents(path: string, options: StreamOptions): () => void {
  const stop = new AbortController();
  void run(path, options, stop.signal);
  return () => stop.abort();
}

async function run(path: string, options: StreamOptions, signal: AbortSignal): Promise<void> {
  const { onEvent, onState, backoff = BACKOFF, reopens = true, whileHidden = () => !reopens } = options;
  const silentMs = reopens ? SILENT_MS : Number.POSITIVE_INFINITY;
  let lastId = options.lastEventId;
  let failures = 0;
  while (!signal.aborted) {
    if (!whileHidden()) await untilVisible(signal);
    if (signal.aborted) return;
    let error: ApiError | undefined;
    const connection = new AbortController();
    const end = () => connection.abort();
    signal.addEventListener("abort", end);
    let hidden = false;
    const forget = whenHidden(whileHidden, () => {
      hidden = true;
      end();
    });
    try {
      onState?.("connecting");
      const headers = new Headers(options.init?.headers);
      headers.set("Accept", "text/event-stream");
      if (lastId !== undefined) headers.set("Last-Event-ID", lastId);
      const init: RequestInit = { ...options.init, headers, signal: connection.signal, cache: "no-store" };
      const response = await within(silentMs, fetchApi(path, init), end);
      onState?.("open");
      const take = (event: ServerEvent) => {
        failures = 0;
        if (event.id !== undefined) lastId = event.id;
        if (!signal.aborted) onEvent(event);
      };
      await readEvents(response, take, silentMs);
      if (!reopens || signal.aborted) break;
    } catch (reason) {
      if (signal.aborted) return;
      if (hidden) continue;
      error = reason instanceof ApiError ? reason : connectionError("broken");
      if (isFinal(error)) return onState?.("closed", error);
    } finally {
      forget();
      signal.removeEventListener("abort", end);
    }
    onState?.("waiting", error);
    const wait = error?.retryAfter
      ? error.retryAfter * 1000
      : (backoff[Math.min(failures, backoff.length - 1)] ?? 1000);
    failures += 1;
    await pause(error?.status === 401 ? Number.POSITIVE_INFINITY : wait, signal);
  }
  if (!signal.aborted) onState?.("closed");
}

const isFinal = (error: ApiError): boolean =>
  error.status >= 400 && error.status < 500 && ![401, 408, 429].includes(error.status);

/**
 * Reads the events of a response to its end. Throws where the connection breaks, or is silent for `silentMs`: that of a
 * phone that slept may be gone without a word.
 */
export async function readEvents(
  response: Response,
  onEvent: (event: ServerEvent) => void,
  silentMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  const parser = createParser({
    onEvent: ({ event, data, id }) => onEvent({ name: event ?? "message", data, id }),
  });
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await within(silentMs, reader.read(), () => void reader.cancel().catch(() => {}));
    if (done) return;
    parser.feed(value);
  }
}

/** Returns what `promise` gives; throws, and calls `onLate`, where that takes longer than `ms`. */
async function within<T>(ms: number, promise: Promise<T>, onLate: () => void): Promise<T> {
  if (!Number.isFinite(ms)) return promise;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(connectionError("broken"));
      onLate();
    }, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Waits for `ms`, or less: until the network is back, a key is given, the page is seen again, or `signal`. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = Number.isFinite(ms) ? setTimeout(done, ms) : undefined;
    const forgetKey = onKeyGiven(done);
    window.addEventListener("online", done);
    document.addEventListener("visibilitychange", seen);
    signal.addEventListener("abort", done);
    function seen() {
      if (timer !== undefined && !document.hidden) done();
    }
    function done() {
      clearTimeout(timer);
      forgetKey();
      window.removeEventListener("online", done);
      document.removeEventListener("visibilitychange", seen);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
