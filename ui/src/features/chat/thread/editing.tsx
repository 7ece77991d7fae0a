import { createContext, type ReactNode, use, useMemo, useState } from "react";

/** A message of the person's own that they change. */
export interface Edited {
  id: string;
  /** How it reads by now. */
  text: string;
  /** It has just been begun: it is brought into view, and takes the keys. */
  isNew?: boolean;
}

interface Editing {
  edited: Edited | null;
  edit: (edited: Edited | null) => void;
}

const EditingContext = createContext<Editing>({ edited: null, edit: () => {} });

/** Keeps the message that is being changed, which the thread may scroll out of the page meanwhile. One at a time. */
export function EditingProvider({ children }: { children: ReactNode }) {
  const [edited, edit] = useState<Edited | null>(null);
  const editing = useMemo(() => ({ edited, edit }), [edited]);
  return <EditingContext value={editing}>{children}</EditingContext>;
}

export const useEditing = (): Editing => use(EditingContext);
