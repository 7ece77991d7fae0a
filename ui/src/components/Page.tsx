import { type ReactNode, useEffect } from "react";

/** A page of the app other than the chat: a title, what can be done about the whole, and the content, which scrolls. */
export function Page({
  title,
  actions,
  children,
  wide,
  fill,
}: {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
  wide?: boolean;
  /** The content takes all the room there is, and scrolls its own parts. */
  fill?: boolean;
}) {
  useEffect(() => {
    document.title = `${title} · mlxr`;
  }, [title]);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="flex min-h-12 flex-wrap items-center gap-2 border-b border-line py-2 pr-4 pl-14 md:pl-6 pointer-coarse:min-h-14 pointer-coarse:py-0.5">
        <h1 className="flex-1 text-lg font-semibold">{title}</h1>
        {actions}
      </header>
      {fill === true ? (
        <div className="flex min-h-0 flex-1 flex-col">{children}</div>
      ) : (
        <div className="relative min-h-0 flex-1 overflow-y-auto">
          <div
            className={`mx-auto px-4 pt-5 pb-[calc(20px+env(safe-area-inset-bottom))] md:px-6 ${wide === true ? "" : "max-w-5xl"}`}
          >
            {children}
          </div>
        </div>
      )}
    </div>
  );
}
