import { defineTexts } from "@/i18n/texts";

export const probabilityTexts = defineTexts({
  en: {
    show: "Token probabilities",
    about:
      "Choose a token by pointing at it, or with the arrow keys, to see how likely it was and what else might have come.",
    tokens: "Tokens of the answer",
    chosen: "Chosen",
    token: (token: string, share: string) => `${token}, ${share}`,
    alternatives: "Likeliest there",
  },
  de: {
    show: "Wahrscheinlichkeiten der Tokens",
    about:
      "Zeigen Sie auf ein Token, oder gehen Sie mit den Pfeiltasten: wie wahrscheinlich es war, und was sonst gekommen wäre.",
    tokens: "Tokens der Antwort",
    chosen: "Gewählt",
    token: (token: string, share: string) => `${token}, ${share}`,
    alternatives: "Hier am wahrscheinlichsten",
  },
});
