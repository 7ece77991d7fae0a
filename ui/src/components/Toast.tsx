import { X } from "lucide-react";
import { createContext, type ReactNode, use, useCallback, useMemo, useRef, useState } from "react";
import { commonTexts } from "@/i18n/common";
import { sentence } from "@/i18n/sentence";
import { useTexts } from "@/i18n/texts";
import { Button, IconButton } from "./Button";
import { classes } from "./classes";

export interface Toast {
  text: string;
  tone?: "neutral" | "danger";
  /** One thing to do about it, such as undoing it. */
  action?: { label: string; onSelect: () => void };
}

const ToastContext = createContext<(toast: Toast) => void>(() => {});

/** Returns the function that shows a short message at the foot of the page for some seconds. */
export const useToast = (): ((toast: Toast) => void) => use(ToastContext);

/** Whoever is to do something about it needs the time to get there. */
const secondsOf = ({ tone, action }: Toast): number => (tone === "danger" || action !== undefined ? 10 : 4);

export function ToastProvider({ children }: { children: ReactNode }) {
  const common = useTexts(commonTexts);
  const [shown, setShown] = useState<readonly (Toast & { id: number })[]>([]);
  const next = useRef(0);
  const dismiss = useCallback((id: number) => setShown((now) => now.filter((toast) => toast.id !== id)), []);
  const show = useCallback(
    (toast: Toast) => {
      next.current += 1;
      const id = next.current;
      setShown((now) => [...now.slice(-2), { ...toast, id }]);
      setTimeout(() => dismiss(id), secondsOf(toast) * 1000);
    },
    [dismiss],
  );
  const list = useMemo(
    () =>
      shown.map(({ id, text, tone, action }) => (
        <li
          key={id}
          className={classes(
            "pointer-events-auto flex max-w-[min(100%,40rem)] items-center gap-2 rounded-md border border-line px-3 py-1.5",
            tone === "danger" ? "bg-danger-soft text-danger" : "bg-raised text-ink",
          )}
        >
          <span className="wrap-anywhere">{sentence(text)}</span>
          {action !== undefined && (
            <Button
              size="small"
              onClick={() => {
                action.onSelect();
                dismiss(id);
              }}
            >
              {action.label}
            </Button>
          )}
          <IconButton label={common.dismiss} size="small" onClick={() => dismiss(id)}>
            <X />
          </IconButton>
        </li>
      )),
    [shown, dismiss, common],
  );
  return (
    <ToastContext value={show}>
      {children}
      <ol
        aria-live="polite"
        className="pointer-events-none fixed inset-x-3 top-[calc(56px+env(safe-area-inset-top))] z-50 flex flex-col items-center gap-2"
      >
        {list}
      </ol>
    </ToastContext>
  );
}
