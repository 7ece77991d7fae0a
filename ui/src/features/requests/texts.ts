import { defineTexts } from "@/i18n/texts";

export const requestsTexts = defineTexts({
  en: {
    title: "Requests",
  },
  de: {
    title: "Anfragen",
  },
});
