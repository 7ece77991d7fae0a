import { defineTexts } from "@/i18n/texts";

export const modelsTexts = defineTexts({
  en: {
    title: "Models",
  },
  de: {
    title: "Modelle",
  },
});
