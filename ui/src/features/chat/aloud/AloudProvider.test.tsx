import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { AloudProvider, useAloud } from "./AloudProvider";

afterEach(() => vi.unstubAllGlobals());

class Utterance extends EventTarget {
  voice: unknown = null;
  constructor(readonly text: string) {
    super();
  }
}

function Reader() {
  const { canRead, reading, read, stop } = useAloud();
  return (
    <>
      <p>
        {canRead() ? "can read" : "mute"}, {reading ?? "silent"}
      </p>
      <button type="button" onClick={() => read("a", "One.\n\nTwo.")}>
        Read
      </button>
      <button type="button" onClick={stop}>
        Stop
      </button>
    </>
  );
}

/** A browser with these voices. Returns what it was told to say. */
function browser(voices: object[]): Utterance[] {
  const said: Utterance[] = [];
  const speechSynthesis = { getVoices: () => voices, cancel: vi.fn(), speak: (one: Utterance) => said.push(one) };
  vi.stubGlobal("speechSynthesis", speechSynthesis);
  vi.stubGlobal("SpeechSynthesisUtterance", Utterance);
  render(
    <AloudProvider chat="c">
      <Reader />
    </AloudProvider>,
  );
  return said;
}

test("an answer is read by a voice of this machine, to its end or until it is stopped", async () => {
  const own = { name: "own", localService: true, lang: "en" };
  const said = browser([{ name: "cloud", localService: false, default: true, lang: "en" }, own]);
  await userEvent.click(screen.getByText("Read"));
  expect(said.map(({ text, voice }) => [text, voice])).toEqual([
    ["One.", own],
    ["Two.", own],
  ]);
  expect(screen.getByText("can read, a")).toBeVisible();
  said.at(-1)?.dispatchEvent(new Event("end"));
  expect(await screen.findByText("can read, silent")).toBeVisible();
  await userEvent.click(screen.getByText("Read"));
  await userEvent.click(screen.getByText("Stop"));
  expect(screen.getByText("can read, silent")).toBeVisible();
});

test("nothing is read where all voices would send the text away", () => {
  browser([{ name: "cloud", localService: false, default: true, lang: "en" }]);
  expect(screen.getByText("mute, silent")).toBeVisible();
});
