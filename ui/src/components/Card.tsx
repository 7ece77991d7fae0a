import type { ReactNode } from "react";

/** A part of a page with a heading of its own. */
export function Card({
  title,
  actions,
  children,
  flush = false,
}: {
  title?: string;
  actions?: ReactNode;
  children: ReactNode;
  /** Whether what is in it reaches its edges, as rows of a list do. */
  flush?: boolean;
}) {
  return (
    <section className="rounded-md border border-line bg-surface">
      {(title !== undefined || actions !== undefined) && (
        <header className="flex min-h-11 items-center gap-2 border-b border-line px-4">
          <h2 className="flex-1 font-semibold">{title}</h2>
          {actions}
        </header>
      )}
      <div className={flush ? "" : "p-4"}>{children}</div>
    </section>
  );
}
