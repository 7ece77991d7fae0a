import type { Schemas } from "@/api/client";

/** As the server tells it, which leaves nothing out. */
export type RequestInfo = Omit<Required<Schemas["RequestInfo"]>, "parameters"> & {
  parameters: Record<string, unknown>;
};

export type Phase = "load" | "prepare" | "queue" | "prefill" | "decode";

export interface PhaseSpan {
  phase: Phase;
  /** Seconds since the request came. */
  start: number;
  seconds: number;
  /** It still goes on. */
  open: boolean;
}

const BEGINNINGS: readonly [
  Phase,
  keyof RequestInfo & ("received" | "submitted" | "queued" | "prefill" | "first_token"),
][] = [
  ["load", "received"],
  ["prepare", "submitted"],
  ["queue", "queued"],
  ["prefill", "prefill"],
  ["decode", "first_token"],
];

/** What takes less is not worth a line. */
const LEAST_SECONDS = 0.0005;

/** Returns what became of a request's time: each phase until the next one began, the last until now or the end. */
export function timeline(request: RequestInfo, now: number): PhaseSpan[] {
  const begun = BEGINNINGS.flatMap(([phase, field]) => {
    const at = request[field];
    return at === null ? [] : [{ phase, at }];
  });
  const end = request.ended ?? Math.max(now, request.received);
  return begun
    .map(({ phase, at }, index) => {
      const next = begun[index + 1]?.at;
      return {
        phase,
        start: at - request.received,
        seconds: Math.max((next ?? end) - at, 0),
        open: next === undefined && request.ended === null,
      };
    })
    .filter(({ seconds, open }) => seconds >= LEAST_SECONDS || open);
}

/** Seconds from the request's coming to its end, or to now. */
export const duration = (request: RequestInfo, now: number): number =>
  Math.max((request.ended ?? now) - request.received, 0);

/** Seconds to the first token, null before it. */
export const ttft = (request: RequestInfo): number | null =>
  request.first_token === null ? null : request.first_token - request.received;

/** Tokens a second since the first one; null where there are too few to tell. */
export function decodeRate(request: RequestInfo, now: number): number | null {
  if (request.first_token === null || request.completion_tokens < 2) return null;
  const seconds = (request.ended ?? now) - request.first_token;
  return seconds > 0 ? (request.completion_tokens - 1) / seconds : null;
}

export const isOpen = ({ ended }: RequestInfo): boolean => ended === null;

export type Show = "all" | "open" | "finished" | "failed" | "cancelled";

/** Returns the requests to list: open ones first, then the latest; `text` is looked for in what identifies them. */
export function listed(requests: readonly RequestInfo[], show: Show, text: string): RequestInfo[] {
  const wanted = text.trim().toLowerCase();
  return requests
    .filter((request) => show === "all" || (show === "open" ? isOpen(request) : request.state === show))
    .filter(({ id, name, model, route, caller, error }) =>
      [String(id), name, model, route, caller, error].some((field) => field.toLowerCase().includes(wanted)),
    )
    .sort((a, b) => Number(isOpen(b)) - Number(isOpen(a)) || b.received - a.received || b.id - a.id);
}
