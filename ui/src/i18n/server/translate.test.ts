import { describe, expect, it } from "vitest";
import { translator } from "./translate";

describe("a sentence of the server's", () => {
  const translate = translator({
    "the disk is full": "die Platte ist voll",
    "there is no {}": "{} gibt es nicht",
    "there is no {} of {}": "{1} hat kein {0}",
    "can't read {}: {}": "{} ist nicht zu lesen: {}",
    "{}: {}": "{}: {}",
  });

  it("is found by what it says, whatever fills its gaps", () => {
    expect(translate("there is no job")).toBe("job gibt es nicht");
    expect(translate("can't read a {b} (c.*): EOF")).toBe("a {b} (c.*) ist nicht zu lesen: EOF");
  });

  it("is the one with most words of its own, and its gaps may change places", () => {
    expect(translate("there is no file of x")).toBe("x hat kein file");
  });

  it("is translated in its reasons, too", () => {
    expect(translate("can't read x: the disk is full")).toBe("x ist nicht zu lesen: die Platte ist voll");
    expect(translate("notes.txt: the disk is full")).toBe("notes.txt: die Platte ist voll");
  });

  it("is null where nobody knows it", () => {
    expect(translate("it rains")).toBeNull();
    expect(translate("weather: it rains")).toBeNull();
    expect(translate("")).toBeNull();
  });

  it("takes no time that grows with what a stranger put into it", () => {
    const many = translator({ "{} of {} of {} of {} of {} is {} x": "-" });
    expect(many(" of ".repeat(20_000))).toBeNull();
  });
});
