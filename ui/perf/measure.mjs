/** Starts to record, in the page, what people feel: frames, layout shifts, long tasks, interactions to next paint. */
export function record() {
  const figures = { frames: [], shift: 0, shifts: [], longTasks: [], interactions: [] };
  Object.assign(globalThis, { figures });
  const observe = (type, take, options = {}) =>
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, ...options });
  observe("layout-shift", ({ value, hadRecentInput, sources }) => {
    if (hadRecentInput) return;
    figures.shift += value;
    const [{ node, previousRect, currentRect } = {}] = sources;
    figures.shifts.push({
      value,
      what: `${node?.parentElement?.className} > ${node?.nodeName} ${node?.textContent?.slice(0, 30)}`,
      by: previousRect && currentRect ? [currentRect.x - previousRect.x, currentRect.y - previousRect.y] : null,
    });
  });
  observe("longtask", ({ duration }) => figures.longTasks.push(duration));
  observe(
    "event",
    ({ interactionId, duration, name }) => {
      if (interactionId) figures.interactions.push({ name, duration });
    },
    { durationThreshold: 16 },
  );
  let last = performance.now();
  const frame = (now) => {
    figures.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

/** Returns the share `part` of `values`, sorted: 0.5 is the median. */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
