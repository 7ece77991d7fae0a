import { describe, expect, it, vi } from "vitest";
import { translator } from "./translate";

/** Returns how often a text is held against an entry while `work` is done. */
function countingLooks(work: () => void): number {
  let looks = 0;
  const { startsWith } = String.prototype;
  const spy = vi.spyOn(String.prototype, "startsWith").mockImplementation(function (this: string, begin: string) {
    looks += 1;
    return startsWith.call(this, begin);
  });
  work();
  spy.mockRestore();
  return looks;
}

describe("a sentence of the server's", () => {
  const translate = translator({
    "the disk is full": "die Platte ist voll",
    "there is no {}": "{} gibt es nicht",
    "there is no {} of {}": "{1} hat kein {0}",
    "can't read {}: {}": "{} ist nicht zu lesen: {}",
    "{} of {} is {}": "{} von {} ist {}",
    "{}: {}": "{}: {}",
    "{}; {}": "{}; {}",
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
  it("takes no time that grows with how often a stranger's text can be taken apart", () => {
    const signs = [...":;,.|/=+~^#&"];
    const many = translator({ ...Object.fromEntries(signs.map((sign) => [`{}${sign}{}`, `{}${sign}{}`])), y: "z" });
    const looks = countingLooks(() => {
      expect(translate("a: b; ".repeat(40))).toBeNull();
      expect(translate(": ".repeat(50_000))).toBeNull();
      expect(many(signs.join("x").repeat(50))).toBeNull();
    });
    expect(looks).toBeLessThan(20_000);
  });

  it("is not looked for in what is far too long for one", () => {
    expect(translate(`there is no ${"x".repeat(3_000)}`)).toBeNull();
  });

  it("leaves alone what it quotes", () => {
    expect(translate("can't read 'a: the disk is full': EOF")).toBe("'a: the disk is full' ist nicht zu lesen: EOF");
    expect(translate('there is no file of "it\'s: the disk is full"')).toBe('"it\'s: the disk is full" hat kein file');
  });

  it("is not taken for one by a few words that are in it", () => {
    expect(translate("Ways of life is a book")).toBeNull();
    expect(translate("part of x is the disk is full")).toBe("part von x ist die Platte ist voll");
  });

  it("is taken apart at the last place, too, where that tells more", () => {
    const both = translator({
      "{} ({}; that is so)": "{} ({}; so ist das)",
      "it (a) is": "es (a) ist",
      "so far {}": "so weit {}",
    });
    expect(both("it (a) is (so far x; that is so)")).toBe("es (a) ist (so weit x; so ist das)");
  });
});
