import { expect, test } from "vitest";
import type { Message } from "../model";
import { type Row, SegmentCache } from "./rows";

const answer = (id: string, model: string, calls: string[] = [], siblings = [id]): Message => ({
  id,
  role: "assistant",
  state: "done",
  parts: [{ kind: "text", text: `text of ${id}` }],
  siblings,
  turn: {
    id,
    parent: null,
    role: "assistant",
    created: 0,
    model,
    tool_calls: calls.map((name) => ({ id: name, name, arguments: "{}", state: "done", result: "1" })),
  },
});
const question: Message = { ...answer("q", ""), role: "user" };

const kinds = (rows: readonly Row[]) => rows.map(({ kind, message }) => `${message.id} ${kind}`);

test("an answer that goes on from its calls reads as one, with one name and one end", () => {
  const [call, rest] = [answer("a", "m", ["clock"]), answer("b", "m")];
  const rows = new SegmentCache().rows([question, call, rest]);
  expect(kinds(rows)).toEqual(["q user", "a start", "a segment", "b segment", "b end"]);
  expect(rows.at(-1)).toMatchObject({ before: [call] });
});

test("what a person makes of it goes on from the calls, too", () => {
  const edited = answer("b", "");
  edited.turn.model = null;
  expect(kinds(new SegmentCache().rows([answer("a", "m", ["clock"]), edited]))).not.toContain("b start");
});

test("branches of a call can be chosen where they fork", () => {
  const rows = new SegmentCache().rows([answer("a", "m", ["clock"], ["a", "other"]), answer("b", "m")]);
  expect(kinds(rows)).toContain("a branches");
});

test("another model's answer, or one behind an answer without calls, has a name of its own", () => {
  const rows = new SegmentCache().rows([answer("a", "m", ["clock"]), answer("b", "n"), answer("c", "n")]);
  expect(kinds(rows).filter((kind) => kind.endsWith("start"))).toEqual(["a start", "b start", "c start"]);
});

test("rows are the same objects until what is around their message changes", () => {
  const cache = new SegmentCache();
  const [call, rest] = [answer("a", "m", ["clock"]), answer("b", "m")];
  const before = cache.rows([call]);
  expect(cache.rows([call])[1]).toBe(before[1]);
  expect(kinds(cache.rows([call, rest]))).not.toContain("a end");
  expect(kinds(cache.rows([call]))).toEqual(kinds(before));
});

test("an answer that is being changed has an editor in the place of its text", () => {
  const [call, rest] = [answer("a", "m", ["clock"]), answer("b", "m")];
  const rows = new SegmentCache().rows([call, rest], new Map([["b", "typed"]]));
  expect(kinds(rows)).toEqual(["a start", "a segment", "b editor", "b end"]);
});
