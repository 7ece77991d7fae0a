import { untilVisible, whenHidden } from "./pageVisibility";

/** What tabs say to each other: `asks` whether somebody leads, `leads` that one does, `told` what it told them last. */
type Note<Told> = { from: string } & ({ asks: true } | { leads: true; last: string | undefined } | { told: Told });

export interface Role<Told> {
  /** Begins to do what one tab does for all; `tell` passes on to the others. Returns how to end. */
  lead: (tell: (told: Told) => void) => () => void;
  /** Called with what another tab, which leads, has told. */
  onTold: (told: Told) => void;
  /** What was told last, here or by another; undefined before anything was. */
  last: () => string | undefined;
  /** Called where the one that leads has told others something that never came here. */
  onMissed: (last: string | undefined) => void;
}

/** How often a tab that waits for its turn asks whether the one that leads is still there. */
const ASK_MS = 5_000;

/** How long the leader has to answer, in parts: a tab that was itself held up reads in between what came meanwhile. */
const ANSWER_PARTS = 3;
const ANSWER_PART_MS = 1_000;

/**
 * Has one of this browser's tabs that are seen do something for all of them. It passes on when that tab is closed, is
 * seen no more, or does not answer. Returns how to take no more part; null where the browser has no locks, as for http
 * on a network. `onRefused` is called where it has them and refuses this one.
 */
export function leadInTurns<Told>(name: string, role: Role<Told>, onRefused: () => void): (() => void) | null {
  const locks = navigator.locks as LockManager | undefined;
  if (locks === undefined) return null;
  const me = crypto.randomUUID();
  const stop = new AbortController();
  const channel = new BroadcastChannel(name);
  const post = (note: Note<Told>) => channel.postMessage(note);
  const holder = watchHolder(() => post({ from: me, asks: true }));
  let leader: string | undefined;
  let end: (() => void) | undefined;
  let back = Promise.resolve();
  const tellOfMe = () => post({ from: me, leads: true, last: role.last() });
  channel.onmessage = ({ data }) => {
    const note = data as Note<Told>;
    if ("asks" in note) {
      if (end !== undefined) tellOfMe();
      return;
    }
    // The holder of the lock is the leader. A tab that was frozen may still claim to be: it has lost the lock.
    if (end !== undefined) return;
    if ("leads" in note) {
      leader = note.from;
      if (role.last() !== undefined && role.last() !== note.last) role.onMissed(note.last);
    }
    holder.heard();
    leader ??= note.from;
    // A former leader that was frozen may wake up with old news.
    if ("told" in note && note.from === leader) role.onTold(note.told);
  };
  const hold = () => {
    holder.forget();
    // It was seen when it began to wait.
    if (document.hidden || stop.signal.aborted) return Promise.resolve();
    return new Promise<void>((released) => {
      leader = me;
      const unlead = role.lead((told) => post({ from: me, told }));
      const leaving = new AbortController();
      end = () => {
        end = undefined;
        leaving.abort();
        unlead();
        forget();
        released();
      };
      tellOfMe();
      const forget = whenHidden(() => false, end);
      const { signal } = leaving;
      stop.signal.addEventListener("abort", end, { signal });
      document.addEventListener("freeze", end, { signal });
      // A page that somebody has left may come back, and runs no timers until then.
      const leave = () => {
        const once = { once: true, signal: stop.signal };
        back = new Promise((shown) => window.addEventListener("pageshow", () => shown(), once));
        end?.();
      };
      window.addEventListener("pagehide", leave, { signal });
    });
  };
  const takeTurns = async () => {
    let steal = false;
    while (!stop.signal.aborted) {
      await back;
      await untilVisible(stop.signal);
      if (stop.signal.aborted) return;
      const waiting = new AbortController();
      const { signal } = waiting;
      stop.signal.addEventListener("abort", () => waiting.abort(), { signal });
      let lost = false;
      holder.watch(() => {
        lost = true;
        waiting.abort();
      });
      try {
        await locks.request(name, steal ? { steal } : { signal }, hold);
      } catch (reason) {
        // Whoever gives up waiting is told so by an error, and whoever has the turn taken away as well.
        if (stop.signal.aborted) return;
        if ((reason as Error).name !== "AbortError") {
          channel.onmessage = null;
          onRefused();
          return;
        }
      } finally {
        holder.forget();
        end?.();
        waiting.abort();
      }
      steal = lost;
    }
  };
  void takeTurns();
  return () => {
    stop.abort();
    channel.close();
  };
}

/** Asks now and then, while the page is seen, whether another tab leads. */
function watchHolder(ask: () => void) {
  let asking: ReturnType<typeof setInterval> | undefined;
  let silent: ReturnType<typeof setTimeout> | undefined;
  let look: () => void = () => {};
  const heard = () => {
    clearTimeout(silent);
    silent = undefined;
  };
  const wait = (parts: number, onLost: () => void) => {
    silent = setTimeout(() => {
      heard();
      if (parts > 1) wait(parts - 1, onLost);
      else if (!document.hidden) onLost();
    }, ANSWER_PART_MS);
  };
  return {
    /** It has said something. */
    heard,
    /** Begins to ask; `onLost` is called where nobody answers. */
    watch: (onLost: () => void) => {
      look = () => {
        if (document.hidden || silent !== undefined) return;
        wait(ANSWER_PARTS, onLost);
        ask();
      };
      asking = setInterval(look, ASK_MS);
      document.addEventListener("visibilitychange", look);
      look();
    },
    /** Asks no more. */
    forget: () => {
      clearInterval(asking);
      document.removeEventListener("visibilitychange", look);
      heard();
    },
  };
}
