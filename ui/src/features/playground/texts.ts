import { defineTexts } from "@/i18n/texts";

export const playgroundTexts = defineTexts({
  en: {
    title: "Playground",
    tools: "Tools",
    names: {
      completion: "Completion",
      structured: "Structured output",
      embeddings: "Embeddings",
      rerank: "Rerank",
      tokenizer: "Tokenizer",
    },
    about: {
      completion:
        "The model goes on with a text as it stands, without a chat template. Each token shows how sure it was.",
      structured: "The model answers in JSON that keeps to a schema: it can write nothing else.",
      embeddings: "Texts as vectors, and how near each is to each.",
      rerank: "Documents in the order of their relevance to a query.",
      tokenizer: "How a model cuts a text into tokens.",
    },
    model: "Model",
    noModel: "No installed model can do this.",
    noModelWay: "Install one on the Models page.",
    toModels: "Go to the models",
    run: "Run",
    stop: "Stop",
    temperature: "Temperature",
    maxTokens: "Token limit",
    seed: "Seed",
    seedHint: "Empty: another each time",
  },
  de: {
    title: "Labor",
    tools: "Werkzeuge",
    names: {
      completion: "Fortsetzung",
      structured: "Strukturierte Ausgabe",
      embeddings: "Einbettungen",
      rerank: "Rangfolge",
      tokenizer: "Tokenizer",
    },
    about: {
      completion:
        "Das Modell setzt einen Text fort, wie er dasteht, ohne Chatvorlage. Jedes Token zeigt, wie sicher es war.",
      structured: "Das Modell antwortet in JSON nach einem Schema: Etwas anderes kann es nicht schreiben.",
      embeddings: "Texte als Vektoren, und wie nah jeder jedem ist.",
      rerank: "Dokumente in der Reihenfolge ihrer Bedeutung für eine Frage.",
      tokenizer: "Wie ein Modell einen Text in Tokens zerlegt.",
    },
    model: "Modell",
    noModel: "Kein installiertes Modell kann das.",
    noModelWay: "Auf der Seite Modelle lässt sich eines installieren.",
    toModels: "Zu den Modellen",
    run: "Ausführen",
    stop: "Anhalten",
    temperature: "Temperatur",
    maxTokens: "Token-Grenze",
    seed: "Startwert",
    seedHint: "Leer: jedes Mal ein anderer",
  },
});
