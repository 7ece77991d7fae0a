import { defineTexts } from "@/i18n/texts";

export const libraryTexts = defineTexts({
  en: {
    about: "Type / and a name where you write a message. {{word}} in a prompt is asked for when you use it.",
    none: "No prompt is saved yet.",
    name: "Name",
    nameHint: "Without spaces, such as translate",
    nameTaken: "A prompt of this name is there already.",
    text: "Text",
    example: "Translate this into {{language}}: {{text}}",
    add: "Save the prompt",
    clear: "Empty the fields",
    change: (name: string) => `Change “${name}”`,
    remove: (name: string) => `Delete “${name}”`,
    insert: "Insert",
    fill: (name: string) => `Fill in “${name}”`,
  },
  de: {
    about: "Tippen Sie / und einen Namen in das Nachrichtenfeld. Nach {{Wort}} in einer Vorlage werden Sie gefragt.",
    none: "Noch ist keine Vorlage gespeichert.",
    name: "Name",
    nameHint: "Ohne Leerzeichen, etwa übersetzen",
    nameTaken: "Eine Vorlage mit diesem Namen gibt es schon.",
    text: "Text",
    example: "Übersetze in {{Sprache}}: {{Text}}",
    add: "Vorlage speichern",
    clear: "Felder leeren",
    change: (name: string) => `„${name}“ ändern`,
    remove: (name: string) => `„${name}“ löschen`,
    insert: "Einfügen",
    fill: (name: string) => `„${name}“ ausfüllen`,
  },
});
