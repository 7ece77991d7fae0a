import { lazy, type ReactNode, Suspense } from "react";

const DrawerPanel = lazy(() => import("./DrawerPanel"));

export interface DrawerProps {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
}

/** A panel that slides over the page from the left, on phones. It is loaded when it first opens. */
export function Drawer({ open, ...rest }: DrawerProps) {
  return <Suspense>{open && <DrawerPanel {...rest} />}</Suspense>;
}
