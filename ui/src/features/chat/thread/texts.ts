import { defineTexts } from "@/i18n/texts";

export const threadTexts = defineTexts({
  en: {
    fromQuestion: "Answer again from the question",
  },
  de: {
    fromQuestion: "Von der Frage an neu beantworten",
  },
});
