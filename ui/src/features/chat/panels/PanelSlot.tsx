import { X } from "lucide-react";
import { Suspense } from "react";
import { IconButton } from "@/components/Button";
import { classes } from "@/components/classes";
import { Skeleton } from "@/components/Skeleton";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { type ChatPanel, PANELS } from "./registry";

/** The place of the panel that is open: beside the chat, on phones over it. */
export function PanelSlot({ id, onClose }: { id: string | undefined; onClose: () => void }) {
  const panel = PANELS.find((known) => known.id === id);
  return panel === undefined ? null : <OpenPanel panel={panel} onClose={onClose} />;
}

function OpenPanel({ panel: { Component, useLabel }, onClose }: { panel: ChatPanel; onClose: () => void }) {
  const common = useTexts(commonTexts);
  const label = useLabel();
  return (
    <aside
      aria-label={label}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.defaultPrevented || event.nativeEvent.isComposing) return;
        // The answer goes on.
        event.preventDefault();
        onClose();
      }}
      className={classes(
        "flex w-80 shrink-0 flex-col border-l border-line bg-surface max-lg:fixed max-lg:top-0 max-lg:right-0 max-lg:z-30",
        "max-lg:h-(--visible-height) max-lg:w-96 max-lg:max-w-full max-lg:pt-[env(safe-area-inset-top)]",
        "max-lg:pr-[env(safe-area-inset-right)]",
      )}
    >
      <header className="flex h-12 shrink-0 pointer-coarse:h-14 items-center border-b border-line pr-2 pl-4">
        <h2 className="flex-1 font-semibold">{label}</h2>
        <IconButton label={common.close} onClick={onClose}>
          <X />
        </IconButton>
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto p-4 max-lg:pb-[calc(16px+env(safe-area-inset-bottom))]">
        <Suspense fallback={<Skeleton className="h-40" />}>
          <Component />
        </Suspense>
      </div>
    </aside>
  );
}
