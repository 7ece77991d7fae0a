import { useCallback, useEffect, useRef, useState } from "react";
import { type ChatController, useChatController } from "../controller";
import type { AnswerParameters } from "../wire";
import { withParameter } from "./fields";

const SETTLES_MS = 400;

export interface Parameters {
  values: AnswerParameters;
  set: (name: keyof AnswerParameters, value: unknown) => void;
  replace: (values: AnswerParameters) => void;
}

/** What was changed and not told yet, and in which chat: another may be shown by then. */
interface Typed {
  chat: ChatController;
  values: AnswerParameters;
}

/** Returns the chat's parameters as they are being changed. The server is told once a hand rests. */
export function useParameters(): Parameters {
  const chat = useChatController();
  const [typed, setTyped] = useState<Typed | null>(null);
  const latest = useRef({ chat, typed });
  latest.current = { chat, typed };
  const flush = useCallback(() => {
    const { chat: now, typed: told } = latest.current;
    if (told === null) return;
    latest.current.typed = null;
    const changed = now.id === told.chat.id ? now : told.chat;
    changed.change({ parameters: told.values });
    setTyped(null);
  }, []);
  useEffect(() => {
    if (typed === null) return;
    const timer = setTimeout(flush, SETTLES_MS);
    return () => clearTimeout(timer);
  }, [typed, flush]);
  useEffect(() => chat.pending.watch(flush), [chat.pending, flush]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: before another chat is changed
  useEffect(() => flush, [flush, chat.id]);
  const values = typed?.chat.id === chat.id ? typed.values : chat.parameters;
  return {
    values,
    set: (name, value) =>
      setTyped((now) => ({
        chat,
        values: withParameter(now?.chat.id === chat.id ? now.values : chat.parameters, name, value),
      })),
    replace: (replaced) => setTyped({ chat, values: replaced }),
  };
}
