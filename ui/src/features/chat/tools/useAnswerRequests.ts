import type { AnswerRequest } from "../wire";
import { useTools } from "./ToolsProvider";
import { asChatTool } from "./tool";
import { useCanCall } from "./useCanCall";

/** Returns what to ask for an answer of the chat's model, and one of a second where there is one, with their tools. */
export function useAnswerRequests(): (model: string | null, second: string | null) => AnswerRequest[] {
  const { active, choice } = useTools();
  const canCall = useCanCall();
  const request = (model: string | null): AnswerRequest => ({
    ...(model === null ? {} : { model }),
    ...(active.length > 0 && choice !== "none" && canCall(model) !== false
      ? { tools: active.map(asChatTool), tool_choice: choice }
      : {}),
  });
  return (model, second) => [request(model), ...(second === null ? [] : [request(second)])];
}
