import { followEvents, type ServerEvent } from "./events";
import { seen, whenUnseen } from "./unseen";

/**
 * Follows the feed at `path` for all tabs of this browser: one that is seen holds the connection, and passes on what it
 * hears. A browser has six connections to a server for all of its tabs, and a tab has a chat of its own to follow.
 */
export function followTogether(path: string, onEvent: (event: ServerEvent) => void): () => void {
  // Browsers have no locks for http on a network: there each tab follows by itself.
  const locks = navigator.locks as LockManager | undefined;
  if (locks === undefined) return followEvents(path, { onEvent });
  const name = `mlxr.feed ${path}`;
  const stop = new AbortController();
  const others = new BroadcastChannel(name);
  let lastId: string | undefined;
  const take = (event: ServerEvent) => {
    lastId = event.id ?? lastId;
    onEvent(event);
  };
  others.onmessage = ({ data }) => take(data as ServerEvent);
  const hold = () =>
    new Promise<void>((released) => {
      const unfollow = followEvents(path, {
        onEvent: (event) => {
          others.postMessage(event);
          take(event);
        },
        ...(lastId === undefined ? {} : { lastEventId: lastId }),
      });
      const release = () => {
        unfollow();
        forget();
        stop.signal.removeEventListener("abort", release);
        released();
      };
      const forget = whenUnseen(() => false, release);
      stop.signal.addEventListener("abort", release);
    });
  const takeTurns = async () => {
    while (!stop.signal.aborted) {
      await seen(stop.signal);
      // Whoever leaves while it waits for its turn is told so by an error.
      await locks.request(name, { signal: stop.signal }, hold).catch(() => {});
    }
  };
  void takeTurns();
  return () => {
    stop.abort();
    others.close();
  };
}
