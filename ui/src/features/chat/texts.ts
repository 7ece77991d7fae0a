import { defineTexts } from "@/i18n/texts";

export const chatTexts = defineTexts({
  en: {
    title: "Chat",
    chats: "Chats",
  },
  de: {
    title: "Chat",
    chats: "Chats",
  },
});
