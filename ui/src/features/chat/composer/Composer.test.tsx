import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { renderPage } from "@/testing/render";
import { Composer } from "./Composer";

const area = () => screen.findByRole("textbox", { name: "Message" });

test("Enter sends what is written and empties the field; Shift and Enter begins a line", async () => {
  const onSend = vi.fn().mockResolvedValue(undefined);
  renderPage(<Composer chatId="a" onSend={onSend} />);
  await userEvent.type(await area(), "one{Shift>}{Enter}{/Shift}two{Enter}");
  expect(onSend).toHaveBeenCalledExactlyOnceWith("one\ntwo");
  expect(await area()).toHaveValue("");
});

test("a message that could not be sent is back in the field", async () => {
  renderPage(<Composer chatId="a" onSend={() => Promise.reject(new Error("down"))} />);
  await userEvent.type(await area(), "important{Enter}");
  await waitFor(async () => expect(await area()).toHaveValue("important"));
});

test("nothing is sent while an answer streams, and what is written stays", async () => {
  const onSend = vi.fn();
  const onStop = vi.fn();
  renderPage(<Composer chatId="a" onSend={onSend} onStop={onStop} />);
  await userEvent.type(await area(), "next{Enter}");
  expect(onSend).not.toHaveBeenCalled();
  expect(await area()).toHaveValue("next");
  await userEvent.click(screen.getByRole("button", { name: "Stop" }));
  expect(onStop).toHaveBeenCalledOnce();
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
