import { createContext, type ReactNode, use, useMemo, useState } from "react";

interface Editing {
  /** How the messages that the person changes read by now, by their ids. */
  typed: ReadonlyMap<string, string>;
  /** The message that has just been begun: it is brought into view, and takes the keys once it is there. */
  begun: string | null;
  /** Begins to change a message of `text`, or goes on where somebody has begun already. */
  begin: (id: string, text: string) => void;
  /** Keeps what is typed, or puts it back. */
  keep: (id: string, text: string) => void;
  end: (id: string) => void;
  /** The message that was begun has the keys. */
  shown: () => void;
}

const nothing = () => {};
const NONE: ReadonlyMap<string, string> = new Map();
const EditingContext = createContext<Editing>({
  typed: NONE,
  begun: null,
  begin: nothing,
  keep: nothing,
  end: nothing,
  shown: nothing,
});

/** Keeps the messages that are being changed, which the thread may scroll out of the page meanwhile. */
export function EditingProvider({ children }: { children: ReactNode }) {
  const [typed, setTyped] = useState(NONE);
  const [begun, setBegun] = useState<string | null>(null);
  const editing = useMemo(
    (): Editing => ({
      typed,
      begun,
      begin: (id, text) => {
        setTyped((now) => (now.has(id) ? now : new Map([...now, [id, text]])));
        setBegun(id);
      },
      keep: (id, text) => setTyped((now) => new Map([...now, [id, text]])),
      end: (id) => setTyped((now) => new Map([...now].filter(([other]) => other !== id))),
      shown: () => setBegun(null),
    }),
    [typed, begun],
  );
  return <EditingContext value={editing}>{children}</EditingContext>;
}

export const useEditing = (): Editing => use(EditingContext);
