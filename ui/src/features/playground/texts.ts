import { defineTexts } from "@/i18n/texts";

export const playgroundTexts = defineTexts({
  en: {
    title: "Playground",
  },
  de: {
    title: "Labor",
  },
});
