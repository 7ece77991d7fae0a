import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { commonTexts } from "@/i18n/common";
import { sentence } from "@/i18n/sentence";
import { useTexts } from "@/i18n/texts";
import { Button } from "./Button";

export interface ErrorNoticeProps {
  /** An `ApiError`, whose message is the server's own sentence, or any other. */
  error: unknown;
  title?: string;
  onRetry?: () => void;
  actions?: ReactNode;
}

/** Says what went wrong, in words, and offers the way on. */
export function ErrorNotice({ error, title, onRetry, actions }: ErrorNoticeProps) {
  const common = useTexts(commonTexts);
  const message = error instanceof Error ? error.message : String(error);
  return (
    <div
      role="alert"
      className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-md bg-danger-soft px-3 py-2 text-danger"
    >
      <CircleAlert aria-hidden className="size-4 shrink-0" />
      <div className="min-w-40 flex-1">
        {title !== undefined && <p className="font-medium">{title}</p>}
        <p className="wrap-anywhere">{sentence(message)}</p>
      </div>
      {actions}
      {onRetry !== undefined && (
        <Button size="small" onClick={onRetry}>
          {common.retry}
        </Button>
      )}
    </div>
  );
}
