/** How long nobody has to look at a page before it gives its connections up. */
const HIDDEN_MS = 10_000;

/** Calls `then` when nobody has seen the page for a while, unless it `stays`. Returns how to call that off. */
export function whenHidden(stays: () => boolean, then: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    timer = setTimeout(() => (stays() ? wait() : then()), HIDDEN_MS);
  };
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) wait();
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

/** Resolves once the page is seen, or `signal` is aborted. */
export function untilVisible(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
    look();
  });
}
