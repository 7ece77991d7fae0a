import { act, render, screen } from "@testing-library/react";
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
        {canRead ? "can read" : "mute"}, {reading ?? "silent"}
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

/** A chat in a browser with these voices. `said` is what it was told to say. */
function browser(voices: object[]) {
  const said: Utterance[] = [];
  const speech = { getVoices: () => voices, cancel: vi.fn(), speak: (one: Utterance) => said.push(one) };
  const speechSynthesis = Object.assign(new EventTarget(), speech);
  vi.stubGlobal("speechSynthesis", speechSynthesis);
  vi.stubGlobal("SpeechSynthesisUtterance", Utterance);
  const page = (chat: string) => (
    <AloudProvider chat={chat}>
      <Reader />
    </AloudProvider>
  );
  const { rerender } = render(page("c"));
  return { said, speechSynthesis, show: (chat: string) => rerender(page(chat)) };
}

test("an answer is read by a voice of this machine, to its end or until it is stopped", async () => {
  const own = { name: "own", localService: true, lang: "en" };
  const { said } = browser([{ name: "cloud", localService: false, default: true, lang: "en" }, own]);
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

test("a voice that is found after the answer is shown can read it", () => {
  const voices: object[] = [];
  const { speechSynthesis } = browser(voices);
  expect(screen.getByText("mute, silent")).toBeVisible();
  voices.push({ name: "own", localService: true, lang: "en" });
  act(() => void speechSynthesis.dispatchEvent(new Event("voiceschanged")));
  expect(screen.getByText("can read, silent")).toBeVisible();
});

test("nothing is being read any more when another chat is shown", async () => {
  const { show } = browser([{ name: "own", localService: true, lang: "en" }]);
  await userEvent.click(screen.getByText("Read"));
  show("d");
  expect(await screen.findByText("can read, silent")).toBeVisible();
});
