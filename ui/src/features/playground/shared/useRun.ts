import { useEffect, useRef, useState } from "react";

/**
 * One thing that a tool has a model do: begun, stopped, and what went wrong. A new one stops the one before, and so
 * does leaving the page.
 */
export function useRun() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const current = useRef<AbortController | null>(null);
  useEffect(() => () => current.current?.abort(), []);

  const run = async (work: (signal: AbortSignal) => Promise<void>) => {
    current.current?.abort();
    const mine = new AbortController();
    current.current = mine;
    setBusy(true);
    setError(null);
    try {
      await work(mine.signal);
    } catch (reason) {
      if (!mine.signal.aborted) setError(reason instanceof Error ? reason : new Error(String(reason)));
    } finally {
      if (current.current === mine) setBusy(false);
    }
  };
  const stop = () => {
    current.current?.abort();
    setBusy(false);
  };
  return { busy, error, run, stop };
}
