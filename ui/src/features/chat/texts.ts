import { defineTexts } from "@/i18n/texts";

export const chatTexts = defineTexts({
  en: {
    title: "Chat",
    chats: "Chats",
    code: "code",
    wrap: "Wrap",
    copyCode: "Copy the code",
  },
  de: {
    title: "Chat",
    chats: "Chats",
    code: "Code",
    wrap: "Umbrechen",
    copyCode: "Code kopieren",
  },
});
