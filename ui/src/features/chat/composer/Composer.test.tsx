import { fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, test, vi } from "vitest";
import { renderPage } from "@/testing/render";
import { Composer } from "./Composer";

const area = () => screen.findByRole("textbox", { name: "Message" });

/** A composer that waits for something until it is released, or lost. */
function Held({ onSend }: { onSend: (text: string) => Promise<void> }) {
  const [held, setHeld] = useState(true);
  const [losses, setLosses] = useState(0);
  const lose = () => {
    setHeld(false);
    setLosses(losses + 1);
  };
  return (
    <>
      <Composer chatId="held" onSend={onSend} waits={held ? "Reading" : undefined} losses={losses} />
      <button type="button" onClick={() => setHeld(!held)}>
        Hold or release
      </button>
      <button type="button" onClick={lose}>
        Lose
      </button>
    </>
  );
}

test("Enter sends what is written and empties the field; Shift and Enter begins a line", async () => {
  const onSend = vi.fn().mockResolvedValue(undefined);
  renderPage(<Composer chatId="a" onSend={onSend} />);
  await userEvent.type(await area(), "one{Shift>}{Enter}{/Shift}two{Enter}");
  expect(onSend).toHaveBeenCalledExactlyOnceWith("one\ntwo");
  expect(await area()).toHaveValue("");
});

test("on a touch screen Enter begins a line, and sends with Ctrl", async () => {
  vi.spyOn(window, "matchMedia").mockReturnValue({ matches: false } as MediaQueryList);
  const onSend = vi.fn().mockResolvedValue(undefined);
  renderPage(<Composer chatId="touch" onSend={onSend} />);
  await userEvent.type(await area(), "one{Enter}two");
  expect(onSend).not.toHaveBeenCalled();
  await userEvent.keyboard("{Control>}{Enter}{/Control}");
  expect(onSend).toHaveBeenCalledExactlyOnceWith("one\ntwo");
  vi.restoreAllMocks();
});

test("a message that could not be sent is back in the field", async () => {
  renderPage(<Composer chatId="a" onSend={() => Promise.reject(new Error("down"))} />);
  await userEvent.type(await area(), "important{Enter}");
  await waitFor(async () => expect(await area()).toHaveValue("important"));
});

test("what is on its way is not sent again, and stands before what was written meanwhile where it fails", async () => {
  let fail = () => {};
  const onSend = vi.fn(
    () =>
      new Promise<void>((_, refuse) => {
        fail = () => refuse(new Error("down"));
      }),
  );
  renderPage(<Composer chatId="twice" onSend={onSend} sendsWithoutText />);
  await userEvent.type(await area(), "first{Enter}{Enter}second{Enter}");
  expect(onSend).toHaveBeenCalledExactlyOnceWith("first");
  fail();
  await waitFor(async () => expect(await area()).toHaveValue("first\nsecond"));
});

test("the arrow up is the field's own where something is written, is composed, or another key is held", async () => {
  const onArrowUp = vi.fn();
  renderPage(<Composer chatId="up" onSend={() => Promise.resolve()} onArrowUp={onArrowUp} />);
  const field = await area();
  fireEvent.keyDown(field, { key: "ArrowUp", isComposing: true });
  fireEvent.keyDown(field, { key: "ArrowUp", altKey: true });
  await userEvent.type(field, "x{ArrowUp}{Backspace}");
  expect(onArrowUp).not.toHaveBeenCalled();
  fireEvent.keyDown(field, { key: "ArrowUp" });
  expect(onArrowUp).toHaveBeenCalledOnce();
});

/** A composer below an answer that streams, until it is done, calls its tools, or fails. */
function Below({ onSend, onStop = () => {} }: { onSend: (text: string) => Promise<void>; onStop?: () => void }) {
  const [state, setState] = useState("streaming");
  return (
    <>
      <Composer
        chatId="below"
        onSend={onSend}
        onStop={state === "streaming" ? onStop : undefined}
        goesOn={state === "tools"}
        losses={state === "failed" ? 1 : 0}
      />
      {["streaming", "tools", "done", "failed"].map((each) => (
        <button key={each} type="button" onClick={() => setState(each)}>
          {each}
        </button>
      ))}
    </>
  );
}

test("what is sent while an answer streams goes out once it is done, with what its tools say", async () => {
  const onSend = vi.fn().mockResolvedValue(undefined);
  const onStop = vi.fn();
  renderPage(<Below onSend={onSend} onStop={onStop} />);
  await userEvent.type(await area(), "next{Enter}");
  expect(screen.getByRole("status")).toHaveTextContent("Goes out after the answer.");
  await userEvent.click(screen.getByRole("button", { name: "Stop" }));
  expect(onStop).toHaveBeenCalledOnce();
  for (const state of ["tools", "streaming"]) await userEvent.click(screen.getByText(state));
  expect(onSend).not.toHaveBeenCalled();
  expect(await area()).toHaveValue("next");
  await userEvent.click(screen.getByText("done"));
  await waitFor(() => expect(onSend).toHaveBeenCalledExactlyOnceWith("next"));
});

test("what was to go out after an answer stays where that fails", async () => {
  const onSend = vi.fn().mockResolvedValue(undefined);
  renderPage(<Below onSend={onSend} />);
  await userEvent.type(await area(), "next{Enter}");
  await userEvent.click(screen.getByText("failed"));
  expect(screen.getByRole("status")).toBeEmptyDOMElement();
  expect(await area()).toHaveValue("next");
  expect(onSend).not.toHaveBeenCalled();
});

test("what is sent while its model is looked up or a file is read goes out by itself, unless it is changed", async () => {
  const onSend = vi.fn().mockResolvedValue(undefined);
  renderPage(<Held onSend={onSend} />);
  await userEvent.type(await area(), "changed{Enter} my mind");
  await userEvent.click(screen.getByText("Hold or release"));
  await userEvent.clear(await area());
  await userEvent.click(screen.getByText("Hold or release"));
  await userEvent.type(await area(), "early{Enter}");
  expect(onSend).not.toHaveBeenCalled();
  await userEvent.click(screen.getByText("Hold or release"));
  await waitFor(() => expect(onSend).toHaveBeenCalledExactlyOnceWith("early"));
  expect(await area()).toHaveValue("");
});

test("what waits for a file that is then refused is not sent without it, until that is asked for", async () => {
  const onSend = vi.fn().mockResolvedValue(undefined);
  renderPage(<Held onSend={onSend} />);
  await userEvent.type(await area(), "look at this{Enter}");
  await userEvent.click(screen.getByText("Lose"));
  expect(await area()).toHaveValue("look at this");
  expect(onSend).not.toHaveBeenCalled();
  await userEvent.type(await area(), "{Enter}");
  expect(onSend).toHaveBeenCalledExactlyOnceWith("look at this");
});

test("each chat keeps its own draft, also when the page is loaded again", async () => {
  const onSend = () => Promise.resolve();
  const first = renderPage(<Composer chatId="a" onSend={onSend} />);
  await userEvent.type(await area(), "draft of a");
  first.unmount();
  const other = renderPage(<Composer chatId="b" onSend={onSend} />);
  expect(await area()).toHaveValue("");
  other.unmount();
  renderPage(<Composer chatId="a" onSend={onSend} />);
  expect(await area()).toHaveValue("draft of a");
});
