import { describe, expect, it } from "vitest";
import type { Model } from "../library";
import { chosen, showOf, sortOf } from "./sorting";

const model = (name: string, more: Partial<Model> = {}) =>
  ({
    name,
    family: "llama",
    quantization: "Q4_K_M",
    aliases: [],
    capabilities: ["completion"],
    modified: 0,
    size: 0,
    parameters: 0,
    loaded: null,
    ...more,
  }) as Model;
const ready = { state: "ready" } as Model["loaded"];
const models = [
  model("smollm2", { modified: 1, size: 30 }),
  model("gemma3", { family: "gemma3", modified: 3, size: 10, loaded: ready }),
  model("minilm", { family: "bert", modified: 2, size: 20, capabilities: ["embedding"] }),
];
const names = (...wanted: Parameters<typeof chosen> extends [unknown, ...infer Rest] ? Rest : never) =>
  chosen(models, ...wanted).map(({ name }) => name);

describe("the list of models", () => {
  it("is in the order that is asked for", () => {
    expect(names("", "all", "modified")).toEqual(["gemma3", "minilm", "smollm2"]);
    expect(names("", "all", "name")).toEqual(["gemma3", "minilm", "smollm2"]);
    expect(names("", "all", "size")).toEqual(["smollm2", "minilm", "gemma3"]);
    expect(names("", "all", "loaded")).toEqual(["gemma3", "minilm", "smollm2"]);
  });

  it("has the kinds that are asked for", () => {
    expect(names("", "loaded", "name")).toEqual(["gemma3"]);
    expect(names("", "embedding", "name")).toEqual(["minilm"]);
    expect(names("", "chat", "name")).toEqual(["gemma3", "smollm2"]);
  });

  it("has those in which every word is found, in name, family or type", () => {
    expect(names("LLAMA q4", "all", "name")).toEqual(["smollm2"]);
    expect(names("bert", "all", "name")).toEqual(["minilm"]);
    expect(names("nothing", "all", "name")).toEqual([]);
  });

  it("takes an address that nobody knows for the usual order", () => {
    expect([sortOf("sideways"), showOf(undefined)]).toEqual(["modified", "all"]);
  });
});
