import { useChat } from "./useChat";
export const useNewChat = () => useChat("new");
