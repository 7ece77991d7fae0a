import { defineTexts } from "@/i18n/texts";

export const metricsTexts = defineTexts({
  en: {
    title: "Metrics",
  },
  de: {
    title: "Messwerte",
  },
});
