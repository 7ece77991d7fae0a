import { useCallback, useEffect, useRef, useState } from "react";
import { useChatController } from "../controller";
import type { AnswerParameters } from "../wire";
import { withParameter } from "./fields";

const SETTLES_MS = 400;

export interface Parameters {
  values: AnswerParameters;
  set: (name: keyof AnswerParameters, value: unknown) => void;
  replace: (values: AnswerParameters) => void;
}

/** Returns the chat's parameters as they are being changed. The server is told once a hand rests. */
export function useParameters(): Parameters {
  const chat = useChatController();
  const [typed, setTyped] = useState<AnswerParameters | null>(null);
  const latest = useRef({ chat, typed });
  latest.current = { chat, typed };
  const flush = useCallback(() => {
    const { chat: now, typed: values } = latest.current;
    if (values === null) return;
    latest.current.typed = null;
    now.change({ parameters: values });
    setTyped(null);
  }, []);
  useEffect(() => {
    if (typed === null) return;
    const timer = setTimeout(flush, SETTLES_MS);
    return () => clearTimeout(timer);
  }, [typed, flush]);
  useEffect(() => flush, [flush]);
  const values = typed ?? chat.parameters;
  return {
    values,
    set: (name, value) => setTyped((now) => withParameter(now ?? chat.parameters, name, value)),
    replace: setTyped,
  };
}
