import { defineTexts } from "@/i18n/texts";

export const importTexts = defineTexts({
  en: {
    title: "Import models of other tools",
    text: "Ollama's, LM Studio's, the Hugging Face cache and llama.cpp's are used where they are: nothing is copied, and nothing there is ever changed or deleted.",
    searching: "Looking into the other tools' folders…",
    nothing: "Nothing was found",
    nothingText:
      "There are no models of Ollama, LM Studio, llama.cpp or in the Hugging Face cache that the server's user can read.",
    importedAs: (name: string) => `Here as ${name}`,
    runsNot: (why: string) => `Does not run here: it ${why}`,
    choose: (name: string) => `Import ${name}`,
    chooseAll: (tool: string) => `Choose all of ${tool}`,
    action: (count: number) => (count === 1 ? "Import 1 model" : `Import ${count} models`),
    actionNone: "Import",
    name: "Name here",
    nameHint: "Leave it empty for its own.",
    problems: "Not everything could be looked into",
    close: "Close",
    more: "Import more",
  },
  de: {
    title: "Modelle anderer Programme importieren",
    text: "Die von Ollama, LM Studio, llama.cpp und im Cache von Hugging Face werden benutzt, wo sie liegen: Nichts wird kopiert, und dort wird nie etwas geändert oder gelöscht.",
    searching: "In die Ordner der anderen Programme wird geschaut…",
    nothing: "Nichts gefunden",
    nothingText:
      "Es gibt keine Modelle von Ollama, LM Studio, llama.cpp oder im Cache von Hugging Face, die der Benutzer des Servers lesen darf.",
    importedAs: (name: string) => `Hier als ${name}`,
    runsNot: (why: string) => `Läuft hier nicht: ${why}`,
    choose: (name: string) => `${name} importieren`,
    chooseAll: (tool: string) => `Alle von ${tool} wählen`,
    action: (count: number) => (count === 1 ? "1 Modell importieren" : `${count} Modelle importieren`),
    actionNone: "Importieren",
    name: "Name hier",
    nameHint: "Leer bleibt es sein eigener.",
    problems: "Nicht überall konnte hineingeschaut werden",
    close: "Schließen",
    more: "Weitere importieren",
  },
});
