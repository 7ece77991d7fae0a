/** Starts to record, in the page, what people feel: frames, layout shifts, long tasks, interactions to next paint. */
export function record() {
  const figures = {
    /** What somebody does now: follows, types, scrolls. Who measures says so. */
    phase: "follows",
    frames: [],
    shifts: { follows: 0, types: 0, scrolls: 0 },
    shifted: [],
    jump: 0,
    longTasks: [],
    interactions: [],
  };
  Object.assign(globalThis, { figures });
  const observe = (type, take, options = {}) =>
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, ...options });
  const nameOf = (node) => {
    const element = node instanceof Element ? node : node?.parentElement;
    const row = element?.closest("[data-index]");
    const tag = element?.tagName.toLowerCase();
    // A text is counted where its first word wraps, though the element that it is in stays where it is.
    const text = node?.nodeType === Node.TEXT_NODE ? `the text "${node.data.slice(0, 24)}" of ${tag}` : tag;
    const within = row === element ? "" : ` in ${text}`;
    return row ? `row ${row.dataset.index}${within}` : (element?.tagName.toLowerCase() ?? "what is gone");
  };
  observe("layout-shift", ({ value, hadRecentInput, sources }) => {
    if (hadRecentInput) return;
    const { phase } = figures;
    figures.shifts[phase] += value;
    const moves = sources.map(({ node, previousRect: before, currentRect: after }) => {
      const [x, y] = [after.x - before.x, after.y - before.y].map(Math.round);
      return `${nameOf(node)} by ${x}, ${y}`;
    });
    figures.shifted.push({ value, told: `${value.toFixed(4)} (${phase}): ${moves.join("; ")}` });
  });
  observe("longtask", ({ duration }) => figures.longTasks.push(duration));
  observe(
    "event",
    ({ interactionId, duration, name }) => {
      if (interactionId) figures.interactions.push({ name, duration });
    },
    { durationThreshold: 16 },
  );
  // Where the last row is painted: it stays there as long as the page follows. Intersections are those of the frame as
  // it is painted. What an animation frame finds is not: the page's own ResizeObservers come after it.
  const thread = document.querySelector("section[aria-label=Conversation]");
  let bottom;
  const look = () => {
    const row = [...thread.querySelectorAll("[data-index]")].at(-1);
    if (row === undefined || figures.phase === "scrolls") return;
    const painted = new IntersectionObserver(
      ([{ boundingClientRect, rootBounds }]) => {
        painted.disconnect();
        if (figures.phase === "scrolls" || !row.isConnected) return;
        const now = boundingClientRect.bottom - rootBounds.bottom;
        bottom ??= now;
        figures.jump = Math.max(figures.jump, Math.abs(now - bottom));
      },
      { root: thread },
    );
    painted.observe(row);
  };
  let last = performance.now();
  const frame = (now) => {
    figures.frames.push(now - last);
    last = now;
    look();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

/** Returns the share `part` of `values`, sorted: 0.5 is the median. */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
