/** Starts to record, in the page, what people feel: frames, layout shifts, long tasks, interactions to next paint. */
export function record() {
  const figures = { frames: [], shift: 0, followingShift: 0, follows: true, jump: 0, longTasks: [], interactions: [] };
  Object.assign(globalThis, { figures });
  const observe = (type, take, options = {}) =>
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, ...options });
  observe("layout-shift", ({ value, hadRecentInput }) => {
    if (hadRecentInput) return;
    figures.shift += value;
    if (figures.follows) figures.followingShift += value;
  });
  observe("longtask", ({ duration }) => figures.longTasks.push(duration));
  observe(
    "event",
    ({ interactionId, duration, name }) => {
      if (interactionId) figures.interactions.push({ name, duration });
    },
    { durationThreshold: 16 },
  );
  // Where the last row was painted: it stays where it is as long as the page follows.
  const thread = document.querySelector("section[aria-label=Conversation]");
  const bottomOf = () =>
    ([...thread.querySelectorAll("[data-index]")].at(-1)?.getBoundingClientRect().bottom ?? 0) -
    thread.getBoundingClientRect().bottom;
  const bottom = bottomOf();
  let last = performance.now();
  const frame = (now) => {
    figures.frames.push(now - last);
    last = now;
    if (figures.follows) figures.jump = Math.max(figures.jump, Math.abs(bottomOf() - bottom));
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

/** Returns the share `part` of `values`, sorted: 0.5 is the median. */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
