import { defineTexts } from "@/i18n/texts";

export const compareTexts = defineTexts({
  en: {
    compare: "Compare with another model",
    with: (model: string) => `and ${model}`,
    stop: (model: string) => `Have ${model} answer no more`,
    sideBySide: "Answers side by side",
    answerOf: (model: string) => `Answer of ${model}`,
    goOn: "Go on with this one",
    close: "Show one answer",
    again: "Show both answers again",
    none: "There is no other model that can chat.",
  },
  de: {
    compare: "Mit einem anderen Modell vergleichen",
    with: (model: string) => `und ${model}`,
    stop: (model: string) => `${model} nicht mehr antworten lassen`,
    sideBySide: "Antworten nebeneinander",
    answerOf: (model: string) => `Antwort von ${model}`,
    goOn: "Mit dieser weitermachen",
    close: "Eine Antwort zeigen",
    again: "Beide Antworten wieder zeigen",
    none: "Es gibt kein anderes Modell, das chatten kann.",
  },
});
