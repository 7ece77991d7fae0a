import { defineTexts } from "@/i18n/texts";

export const logsTexts = defineTexts({
  en: {
    title: "Logs",
  },
  de: {
    title: "Protokolle",
  },
});
