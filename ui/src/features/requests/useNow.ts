import { useEffect, useState } from "react";

/** Returns the time in seconds since the epoch, kept up while `moving`. */
export function useNow(moving: boolean): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (!moving) return;
    const tick = () => setNow(Date.now() / 1000);
    tick();
    const timer = setInterval(tick, 500);
    return () => clearInterval(timer);
  }, [moving]);
  return now;
}
