import { useMutation } from "@tanstack/react-query";
import type { Schemas } from "@/api/client";
import { fetchJson } from "@/api/client";
import type { ServerEvent } from "@/api/events";
import { useFollowed } from "@/api/followed";
import { isOpen, type RequestInfo } from "./timeline";

const MOST_ENDED = 200;

/** Returns the requests that are known after an event, in the order that they came in. */
export function withChange(known: RequestInfo[] | undefined, event: ServerEvent): RequestInfo[] | undefined {
  if (event.name === "reset") return [];
  if (event.name !== "requests") return known;
  const { requests } = JSON.parse(event.data) as { requests: RequestInfo[] };
  const byId = new Map((known ?? []).map((request) => [request.id, request]));
  for (const request of requests) byId.set(request.id, request);
  const all = [...byId.values()].sort((a, b) => a.received - b.received || a.id - b.id);
  const ended = all.filter((request) => !isOpen(request));
  const dropped = new Set(ended.slice(0, Math.max(ended.length - MOST_ENDED, 0)));
  return all.filter((request) => !dropped.has(request));
}

export const useRequests = () =>
  useFollowed<RequestInfo[]>({
    key: ["requests"],
    path: `/api/ui/requests/events?limit=${MOST_ENDED}`,
    reduce: withChange,
  });

/** Ends a request; its client is told. */
export const useCancelRequest = () =>
  useMutation({
    mutationFn: (id: number) => fetchJson<Schemas["CancelledRequest"]>(`/api/ui/requests/${id}/cancel`, {}),
  });
