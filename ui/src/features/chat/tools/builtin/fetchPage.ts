import { api, unwrap } from "@/api/client";
import type { Tool } from "../tool";

const CHARACTERS = 12_000;
const MOST_CHARACTERS = 100_000;

export const fetchPage: Tool = {
  id: "fetch_page",
  server: "",
  name: "fetch_page",
  description: "Reads a web page, and returns its text.",
  parameters: {
    type: "object",
    properties: {
      url: { type: "string", description: "The address, with https:// or http://" },
      start: { type: "integer", minimum: 0, description: "The character to begin at, to read on in a long page" },
      length: { type: "integer", minimum: 1, maximum: MOST_CHARACTERS, description: `Default: ${CHARACTERS}` },
    },
    required: ["url"],
    additionalProperties: false,
  },
  run: async ({ url, start, length }, signal) => {
    if (typeof url !== "string") throw new Error("`url` is missing: it is an address such as https://example.org");
    const page = await unwrap(api.POST("/api/ui/fetch", { body: { url }, signal }));
    if (page.error !== "" && page.error !== undefined && (page.text ?? "") === "") throw new Error(page.error);
    const { pageText } = await import("./pageText");
    const { title, text } = /html/.test(page.type ?? "")
      ? pageText(page.text ?? "")
      : { title: "", text: page.text ?? "" };
    const from = typeof start === "number" ? start : 0;
    const most = Math.min(typeof length === "number" ? length : CHARACTERS, MOST_CHARACTERS);
    const part = text.slice(from, from + most);
    const rest = text.length - from - part.length;
    const notes = [
      page.error,
      rest > 0 ? `${rest} characters follow: ask for start ${from + part.length}.` : "",
      page.truncated === true ? "The page is longer than what was read of it." : "",
    ].filter((note) => note !== undefined && note !== "");
    return [page.url, title, part, ...notes].filter((line) => line !== "").join("\n\n");
  },
};
