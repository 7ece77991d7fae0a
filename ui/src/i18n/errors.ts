import { defineTexts, textsNow } from "./texts";

/** What the page itself notices, and how it passes on a sentence of the server's that is not known in the language. */
const errorTexts = defineTexts({
  en: {
    unreachable: "The server can't be reached. Is it running?",
    broken: "The connection to the server broke.",
    notCopied: "This browser let nothing be copied.",
    said: (sentence: string) => sentence,
  },
  de: {
    unreachable: "Der Server ist nicht zu erreichen. Läuft er?",
    broken: "Die Verbindung zum Server ist abgerissen.",
    notCopied: "Dieser Browser lässt nichts kopieren.",
    said: (sentence: string) => `Der Server sagt: „${sentence}“`,
  },
});

/** Returns these texts in the language of now. */
export const wordsForErrors = () => textsNow(errorTexts);
