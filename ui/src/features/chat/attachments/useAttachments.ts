import { useQuery } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { installedModels } from "@/api/models";
import type { Content } from "../wire";

const MOST_FILES = 20;

/** A file beside the message that is being written. */
export interface Attached {
  id: number;
  /** The chat whose message it goes with; null for one that is not begun. */
  chat: string | null;
  name: string;
  size: number;
  /** How much of it is read, where that takes a while. */
  progress: number | null;
  /** Null while it is read, or where it was refused. */
  content: Content | null;
  /** Why it was refused. */
  error: unknown;
}

export interface Attachments {
  list: readonly Attached[];
  /** Those that go with the message. */
  contents: Content[];
  /** Some are still being read. */
  busy: boolean;
  /** How many were refused or taken away so far. */
  losses: number;
  add: (files: Iterable<File>) => void;
  remove: (id: number) => void;
  /** Takes those away that have gone with a message: what came meanwhile stays for the next one. */
  clear: (sent: readonly Attached[]) => void;
}

/** Keeps what is attached to the message that is being written in `chat` to `model`. Each chat has its own. */
export function useAttachments(chat: string | null, model: string | null): Attachments {
  const { data } = useQuery(installedModels);
  const [all, setAll] = useState<readonly Attached[]>([]);
  const list = all.filter((each) => each.chat === chat);
  const [losses, setLosses] = useState(0);
  const next = useRef(0);
  const seesImages = data?.find(({ name }) => name === model)?.capabilities.includes("vision") === true;
  const change = (id: number, changed: Partial<Attached>) =>
    setAll((now) => now.map((each) => (each.id === id ? { ...each, ...changed } : each)));
  const refuse = (id: number, error: unknown) => {
    setLosses((now) => now + 1);
    change(id, { error, progress: null });
  };
  const add = (files: Iterable<File>) => {
    const room = MOST_FILES - list.length;
    // The first that finds no room says so.
    const taken = [...files].slice(0, Math.max(0, room + 1)).map((file) => ({ id: next.current++, file }));
    const unread = { chat, progress: null, content: null, error: null };
    setAll((now) => [...now, ...taken.map(({ id, file: { name, size } }) => ({ ...unread, id, name, size }))]);
    for (const [index, { id, file }] of taken.entries()) {
      const options = { seesImages, model, onProgress: (progress: number) => change(id, { progress }) };
      const read = import("./readFile").then(({ readFile, RefusedFile }) => {
        if (index >= room) throw new RefusedFile({ reason: "many", most: MOST_FILES });
        return readFile(file, options);
      });
      read.then(
        (content) => change(id, { content, progress: null }),
        (error: unknown) => refuse(id, error),
      );
    }
  };
  return {
    list,
    contents: list.flatMap(({ content }) => (content === null ? [] : [content])),
    busy: list.some(({ content, error }) => content === null && error === null),
    losses,
    add,
    remove: useCallback((id: number) => {
      setLosses((now) => now + 1);
      setAll((now) => now.filter((each) => each.id !== id));
    }, []),
    clear: useCallback((sent: readonly Attached[]) => {
      const gone = new Set(sent.map(({ id }) => id));
      setAll((now) => now.filter(({ id }) => !gone.has(id)));
    }, []),
  };
}
