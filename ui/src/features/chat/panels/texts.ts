import { defineTexts } from "@/i18n/texts";

/** What buttons say that are there before the panels themselves, whose texts come with them. */
export const panelTexts = defineTexts({
  en: {
    parameters: "Parameters",
    tools: "Tools",
    toolsOn: (count: number) =>
      count === 0 ? "No tool is on" : count === 1 ? "1 tool is on" : `${count} tools are on`,
    cantCall: (model: string) => `${model} was not made to call tools: it is not told of any.`,
  },
  de: {
    parameters: "Parameter",
    tools: "Werkzeuge",
    toolsOn: (count: number) =>
      count === 0 ? "Kein Werkzeug ist an" : count === 1 ? "1 Werkzeug ist an" : `${count} Werkzeuge sind an`,
    cantCall: (model: string) => `${model} kann keine Werkzeuge aufrufen: es erfährt von keinem.`,
  },
});
