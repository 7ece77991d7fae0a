import { lazy, type ReactNode, Suspense } from "react";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { Button } from "./Button";

const DialogPanel = lazy(() => import("./DialogPanel"));

export interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: string;
  /** A sentence under the title. */
  description?: string;
  children?: ReactNode;
  /** Buttons at the end. */
  actions?: ReactNode;
  size?: "small" | "medium" | "large";
}

/** A modal dialog: it keeps the focus, and Escape or a press beside it closes it. It is loaded when one first opens. */
export function Dialog({ open, ...rest }: DialogProps) {
  return <Suspense>{open && <DialogPanel {...rest} />}</Suspense>;
}

export interface ConfirmDialogProps {
  open: boolean;
  onClose: () => void;
  onConfirm: () => void;
  title: string;
  description: string;
  /** What the button that does it says. */
  action: string;
  busy?: boolean;
  danger?: boolean;
}

/** Asks before something that can't be undone. */
export function ConfirmDialog({ onClose, onConfirm, action, busy, danger = true, ...rest }: ConfirmDialogProps) {
  const common = useTexts(commonTexts);
  return (
    <Dialog
      {...rest}
      onClose={onClose}
      size="small"
      actions={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button look={danger ? "danger" : "primary"} busy={busy === true} onClick={onConfirm}>
            {action}
          </Button>
        </>
      }
    />
  );
}
