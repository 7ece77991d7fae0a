import { canChat, isAdapter } from "../facts";
import type { Model } from "../library";

export const SORTS = ["modified", "name", "size", "parameters", "loaded"] as const;
export type Sort = (typeof SORTS)[number];
export const SHOWS = ["all", "loaded", "chat", "embedding", "adapter"] as const;
export type Show = (typeof SHOWS)[number];

export const sortOf = (text: string | undefined): Sort => SORTS.find((sort) => sort === text) ?? "modified";
export const showOf = (text: string | undefined): Show => SHOWS.find((show) => show === text) ?? "all";

const ORDERS: Record<Sort, (a: Model, b: Model) => number> = {
  modified: (a, b) => b.modified - a.modified,
  name: (a, b) => a.name.localeCompare(b.name),
  size: (a, b) => b.size - a.size,
  parameters: (a, b) => b.parameters - a.parameters,
  loaded: (a, b) => Number(b.loaded !== null) - Number(a.loaded !== null) || a.name.localeCompare(b.name),
};

const KINDS: Record<Show, (model: Model) => boolean> = {
  all: () => true,
  loaded: (model) => model.loaded !== null,
  chat: canChat,
  embedding: ({ capabilities }) => capabilities.includes("embedding") || capabilities.includes("rerank"),
  adapter: isAdapter,
};

/** The models that are asked for, in the order that is: every word of `words` is in the name, family or type. */
export function chosen(models: readonly Model[], words: string, show: Show, sort: Sort): Model[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ name, family, quantization, aliases }: Model) => {
    const text = [name, family, quantization, ...aliases].join(" ").toLowerCase();
    return wanted.every((word) => text.includes(word));
  };
  return models.filter((model) => KINDS[show](model) && fits(model)).toSorted(ORDERS[sort]);
}
