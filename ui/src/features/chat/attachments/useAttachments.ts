import { useQuery } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { installedModels } from "@/api/models";
import type { Content } from "../wire";

const MOST_FILES = 20;

/** A file beside the message that is being written. */
export interface Attached {
  id: number;
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
  clear: () => void;
}

/** Keeps what is attached to the message that is being written to `model`. */
export function useAttachments(model: string | null): Attachments {
  const { data } = useQuery(installedModels);
  const [list, setList] = useState<readonly Attached[]>([]);
  const [losses, setLosses] = useState(0);
  const next = useRef(0);
  const seesImages = data?.find(({ name }) => name === model)?.capabilities.includes("vision") === true;
  const add = (files: Iterable<File>) => {
    for (const file of [...files].slice(0, MOST_FILES + 1)) {
      const id = next.current++;
      const change = (changed: Partial<Attached>) =>
        setList((now) => now.map((each) => (each.id === id ? { ...each, ...changed } : each)));
      if (list.length >= MOST_FILES) return;
      setList((now) =>
        now.length >= MOST_FILES
          ? now
          : [...now, { id, name: file.name, size: file.size, progress: null, content: null, error: null }],
      );
      const options = { seesImages, model, onProgress: (progress: number) => change({ progress }) };
      const read = import("./readFile").then(({ readFile }) => readFile(file, options));
      read.then(
        (content) => change({ content, progress: null }),
        (error: unknown) => {
          setLosses((now) => now + 1);
          change({ error, progress: null });
        },
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
      setList((now) => now.filter((each) => each.id !== id));
    }, []),
    clear: useCallback(() => setList([]), []),
  };
}
