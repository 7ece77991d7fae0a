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
  let back = Promise.resolve();
  const take = (event: ServerEvent) => {
    lastId = event.id ?? lastId;
    onEvent(event);
  };
  others.onmessage = ({ data }) => take(data as ServerEvent);
  const follow = (onHeard: (event: ServerEvent) => void) =>
    followEvents(path, { onEvent: onHeard, ...(lastId === undefined ? {} : { lastEventId: lastId }) });
  const hold = () => {
    // It was seen when it began to wait.
    if (document.hidden) return Promise.resolve();
    return new Promise<void>((released) => {
      const unfollow = follow((event) => {
        others.postMessage(event);
        take(event);
      });
      const leaving = new AbortController();
      const release = () => {
        leaving.abort();
        unfollow();
        forget();
        released();
      };
      const forget = whenUnseen(() => false, release);
      const { signal } = leaving;
      stop.signal.addEventListener("abort", release, { signal });
      document.addEventListener("freeze", release, { signal });
      // A page that somebody has left may come back, and runs no timers until then.
      const leave = () => {
        const once = { once: true, signal: stop.signal };
        back = new Promise((shown) => window.addEventListener("pageshow", () => shown(), once));
        release();
      };
      window.addEventListener("pagehide", leave, { signal });
    });
  };
  const takeTurns = async () => {
    while (!stop.signal.aborted) {
      await back;
      await seen(stop.signal);
      try {
        await locks.request(name, { signal: stop.signal }, hold);
      } catch {
        // Whoever leaves while it waits for its turn is told so by an error, too.
        if (stop.signal.aborted) return;
        others.onmessage = null;
        stop.signal.addEventListener("abort", follow(take));
        return;
      }
    }
  };
  void takeTurns();
  return () => {
    stop.abort();
    others.close();
  };
}
