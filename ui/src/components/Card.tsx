import type { ReactNode } from "react";

/** A part of a page with a heading of its own. */
export function Card({ title, actions, children }: { title?: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="rounded-md border border-line bg-surface">
      {(title !== undefined || actions !== undefined) && (
        <header className="flex min-h-11 items-center gap-2 border-b border-line px-4">
          <h2 className="flex-1 font-semibold">{title}</h2>
          {actions}
        </header>
      )}
      <div className="p-4">{children}</div>
    </section>
  );
}
