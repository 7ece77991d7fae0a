import { defineTexts } from "@/i18n/texts";

export const embeddingsTexts = defineTexts({
  en: {
    inputs: "Texts, one a line",
    inputsHint: (count: number) => `${count} of at most 24`,
    example:
      "A cat sleeps on the sofa.\nA kitten is napping on the couch.\nThe stock market fell today.\nShares lost value.",
    matrix: "Similarity of each text to each",
    none: "Run it to see how near the texts are to each other.",
    text: (number: number) => `Text ${number}`,
    facts: (dimensions: number, tokens: number) => `${dimensions} dimensions · ${tokens} tokens`,
    scale: "Cosine of the angle between two vectors; 1: the same direction.",
    nearest: "Nearest pair",
    tooMany: "At most 24 texts are compared. Take some away.",
  },
  de: {
    inputs: "Texte, einer je Zeile",
    inputsHint: (count: number) => `${count} von höchstens 24`,
    example:
      "Eine Katze schläft auf dem Sofa.\nEin Kätzchen döst auf der Couch.\nDie Börse ist heute gefallen.\nAktien verloren an Wert.",
    matrix: "Ähnlichkeit jedes Textes mit jedem",
    none: "Nach dem Ausführen steht hier, wie nah die Texte einander sind.",
    text: (number: number) => `Text ${number}`,
    facts: (dimensions: number, tokens: number) => `${dimensions} Dimensionen · ${tokens} Tokens`,
    scale: "Kosinus des Winkels zwischen zwei Vektoren; 1: dieselbe Richtung.",
    nearest: "Nächstes Paar",
    tooMany: "Höchstens 24 Texte werden verglichen. Bitte einige wegnehmen.",
  },
});
