import { expect, test } from "vitest";
import { placesIn, probability, TokenPlaces, visible } from "./align";

const tokens = (...texts: string[]) => texts.map((token) => ({ token, logprob: 0 }));

test("shown characters are found in their source behind marks, links and list signs", () => {
  const source = "# Head\n\nA **bold** [link](https://example.org/a) end.\n\n- one\n- two";
  const shown = "HeadA bold link end.onetwo";
  const places = placesIn(source, shown);
  const at = (text: string) => places[shown.indexOf(text)];
  expect(at("Head")).toBe(source.indexOf("Head"));
  expect(at("bold")).toBe(source.indexOf("bold"));
  expect(at("link")).toBe(source.indexOf("link"));
  expect(at("end")).toBe(source.indexOf("end"));
  expect(at("two")).toBe(source.indexOf("two"));
});

test("a character that is nowhere in the source, as a formula's, leaves the others where they are", () => {
  const places = placesIn("x $\\alpha$ y", "x α y");
  expect(places[0]).toBe(0);
  expect(places[4]).toBe(11);
});

test("a place in the text leads to its token, also behind reasoning and before the end's token", () => {
  const places = new TokenPlaces(tokens("<think>", "hm", "</think>", "Hel", "lo", " you", "<end>"), "Hello you");
  expect([0, 2, 3, 5, 8].map((place) => places.at(place))).toEqual([3, 3, 4, 5, 5]);
  expect(new TokenPlaces(tokens("a"), "a").at(5)).toBe(-1);
});

test("probabilities are shares, and blanks can be seen", () => {
  expect(probability(Math.log(0.25))).toBeCloseTo(0.25);
  expect(probability(0.1)).toBe(1);
  expect(visible(" a\n")).toBe("␣a⏎");
});
