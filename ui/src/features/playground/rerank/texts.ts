import { defineTexts } from "@/i18n/texts";

export const rerankTexts = defineTexts({
  en: {
    query: "Query",
    exampleQuery: "How do I keep bread fresh?",
    documents: "Documents, one a line",
    example:
      "Store bread in a box at room temperature, not in the fridge.\nThe capital of France is Paris.\nFreezing keeps a loaf fresh for months.\nYeast makes dough rise.",
    documentsHint: (count: number) => (count === 1 ? "1 document" : `${count} documents`),
    result: "By relevance",
    score: "Score",
    none: "Run it to see which documents answer the query best.",
    by: {
      embeddings: "Scored by how near the embeddings are to the query's.",
      other: "Scored by a model made for it.",
    },
  },
  de: {
    query: "Frage",
    exampleQuery: "Wie bleibt Brot frisch?",
    documents: "Dokumente, eines je Zeile",
    example:
      "Brot gehört bei Zimmertemperatur in einen Kasten, nicht in den Kühlschrank.\nDie Hauptstadt von Frankreich ist Paris.\nEingefroren bleibt ein Laib monatelang frisch.\nHefe lässt Teig aufgehen.",
    documentsHint: (count: number) => (count === 1 ? "1 Dokument" : `${count} Dokumente`),
    result: "Nach Bedeutung",
    score: "Wert",
    none: "Nach dem Ausführen steht hier, welche Dokumente die Frage am besten beantworten.",
    by: {
      embeddings: "Bewertet danach, wie nah die Einbettungen der Frage sind.",
      other: "Bewertet von einem Modell, das dafür gemacht ist.",
    },
  },
});
