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

/** A message that is being changed, and the chat that has it. */
interface Edit {
  chat: string;
  text: string;
}

/** Keeps the messages of `chat` that are being changed, which the thread may scroll out of the page meanwhile, and those
 * of the chats that were shown before. */
export function EditingProvider({ chat, children }: { chat: string; children: ReactNode }) {
  const [edits, setEdits] = useState<ReadonlyMap<string, Edit>>(new Map());
  const [begun, setBegun] = useState<string | null>(null);
  const typed = useMemo(
    () => new Map([...edits].flatMap(([id, edit]) => (edit.chat === chat ? [[id, edit.text] as const] : []))),
    [edits, chat],
  );
  const editing = useMemo(
    (): Editing => ({
      typed,
      begun,
      begin: (id, text) => {
        setEdits((now) => (now.has(id) ? now : new Map([...now, [id, { chat, text }]])));
        setBegun(id);
      },
      keep: (id, text) => setEdits((now) => new Map([...now, [id, { chat, text }]])),
      end: (id) => setEdits((now) => new Map([...now].filter(([other]) => other !== id))),
      shown: () => setBegun(null),
    }),
    [typed, begun, chat],
  );
  return <EditingContext value={editing}>{children}</EditingContext>;
}

export const useEditing = (): Editing => use(EditingContext);
