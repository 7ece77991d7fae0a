import { Outlet, useRouterState } from "@tanstack/react-router";
import { PanelLeft } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { IconButton } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { Drawer } from "./Drawer";
import { KeyDialog } from "./KeyDialog";
import { OfflineNotice } from "./OfflineNotice";
import { setPreferences, usePreferences } from "./preferences";
import { Sidebar } from "./Sidebar";
import { shellTexts } from "./texts";
import { useNoStrayDrops } from "./useNoStrayDrops";
import { useShellCommands } from "./useShellCommands";
import { useVisibleHeight } from "./useVisibleHeight";

const CommandPalette = lazy(() => import("./CommandPalette"));
const ShortcutsDialog = lazy(() => import("./ShortcutsDialog"));

/** The frame of every page: sidebar, notices, and what opens over them. */
export function Shell() {
  const texts = useTexts(shellTexts);
  const { sidebarClosed } = usePreferences();
  const [open, setOpen] = useState<"drawer" | "palette" | "shortcuts" | null>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the drawer closes when the page changes
  useEffect(() => setOpen(null), [path]);
  useShellCommands(setOpen);
  useNoStrayDrops();
  useVisibleHeight();
  const close = () => setOpen(null);
  return (
    <div
      data-sidebar={sidebarClosed ? "closed" : "open"}
      className="group/shell flex h-(--visible-height) pr-[env(safe-area-inset-right)] pl-[env(safe-area-inset-left)]"
    >
      <a
        href="#content"
        className="sr-only z-50 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        {texts.skip}
      </a>
      {!sidebarClosed && (
        <aside aria-label={texts.sidebar} className="w-66 shrink-0 border-r border-line bg-sunken max-md:hidden">
          <Sidebar onSearch={() => setOpen("palette")} onClose={() => setPreferences({ sidebarClosed: true })} />
        </aside>
      )}
      <Drawer open={open === "drawer"} onClose={close} title={texts.pages}>
        <Sidebar onSearch={() => setOpen("palette")} onClose={close} />
      </Drawer>
      <div className="relative mt-[env(safe-area-inset-top)] flex min-w-0 flex-1 flex-col">
        <div className="absolute top-2 left-3 z-20 group-data-[sidebar=open]/shell:md:hidden pointer-coarse:top-1.5 pointer-coarse:left-1">
          <IconButton label={texts.openSidebar} className="md:hidden" onClick={() => setOpen("drawer")}>
            <PanelLeft />
          </IconButton>
          <IconButton
            label={texts.openSidebar}
            keys="mod+b"
            className="max-md:hidden"
            onClick={() => setPreferences({ sidebarClosed: false })}
          >
            <PanelLeft />
          </IconButton>
        </div>
        <OfflineNotice />
        <main id="content" tabIndex={-1} className="min-h-0 flex-1 outline-none">
          <Outlet />
        </main>
      </div>
      <KeyDialog />
      <Suspense>
        {open === "palette" && <CommandPalette onClose={close} />}
        {open === "shortcuts" && <ShortcutsDialog onClose={close} />}
      </Suspense>
    </div>
  );
}
