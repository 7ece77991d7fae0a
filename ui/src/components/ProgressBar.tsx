/** How far something is: `value` of 0 to 1, or null where nobody knows. */
export function ProgressBar({ label, value, text }: { label: string; value: number | null; text?: string }) {
  const percent = value === null ? undefined : Math.round(Math.min(1, Math.max(0, value)) * 100);
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(percent === undefined ? {} : { "aria-valuenow": percent })}
      {...(text === undefined ? {} : { "aria-valuetext": text })}
      className="h-1.5 w-full overflow-hidden rounded-full bg-line"
    >
      <div
        className={`h-full rounded-full bg-accent transition-[width] ${percent === undefined ? "w-1/3 animate-pulse" : ""}`}
        style={percent === undefined ? {} : { width: `${percent}%` }}
      />
    </div>
  );
}
