import type { ChatController } from "./controller";

const nothing = () => {};
export function useChat(id: string): ChatController {
  return {
    id,
    title: "",
    model: null,
    system: "",
    messages: [],
    busy: false,
    connection: "open",
    send: async () => {},
    stop: nothing,
    setTitle: nothing,
    setModel: nothing,
    setSystem: nothing,
    actions: { regenerate: nothing, goOn: nothing, edit: nothing, showBranch: nothing, remove: nothing },
  };
}
