import { followEvents, type ServerEvent } from "./events";
import { leadInTurns } from "./leadership";

export interface SharedFeed {
  onEvent: (event: ServerEvent) => void;
  /** Called where other tabs have had events that never came to this one, as while it was frozen. */
  onMissed: () => void;
}

/**
 * Follows the feed at `path` for all tabs of this browser: one that is seen holds the connection, and passes on what it
 * hears. A browser has six connections to a server for all of its tabs, and a tab has a chat of its own to follow.
 */
export function followShared(path: string, { onEvent, onMissed }: SharedFeed): () => void {
  let lastId: string | undefined;
  let alone: (() => void) | undefined;
  const take = (event: ServerEvent) => {
    lastId = event.id ?? lastId;
    onEvent(event);
  };
  const follow = (onHeard: (event: ServerEvent) => void) =>
    followEvents(path, { onEvent: onHeard, ...(lastId === undefined ? {} : { lastEventId: lastId }) });
  const followAlone = () => {
    alone = follow(take);
  };
  const leave = leadInTurns<ServerEvent>(
    `mlxr.feed ${path}`,
    {
      lead: (tell) =>
        follow((event) => {
          tell(event);
          take(event);
        }),
      onTold: take,
      last: () => lastId,
      onMissed: (last) => {
        lastId = last;
        onMissed();
      },
    },
    followAlone,
  );
  if (leave === null) followAlone();
  return () => {
    leave?.();
    alone?.();
  };
}
