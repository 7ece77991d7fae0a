import { fireEvent, render, screen } from "@testing-library/react";
import type { Tokens } from "marked";
import { expect, test } from "vitest";
import { segmentsOf } from "./blocks";
import { lex } from "./lexer";
import { safeHref } from "./links";
import { SegmentView } from "./Markdown";
import { TableView } from "./TableView";

const show = (text: string) =>
  render(
    <div>
      {segmentsOf(text).map((segment) => (
        <SegmentView key={segment.key} segment={segment} growing={false} />
      ))}
    </div>,
  ).container;

test("HTML from a model is shown as it was written and makes no element", () => {
  const shown = show(
    'Before <img src=x onerror="alert(1)"> after\n\n<script>alert(2)</script>\n\n<div onclick="x()">d</div>',
  );
  expect(shown.querySelector("img, script, [onclick]")).toBeNull();
  expect(shown).toHaveTextContent('<img src=x onerror="alert(1)">');
  expect(shown).toHaveTextContent("<script>alert(2)</script>");
});

test("a link opens elsewhere and tells nobody where from; one of a scheme that runs something is no link", () => {
  show(
    "[good](https://example.org/a?b=1) and [bad](javascript:alert(1)) and [data](data:text/html,x) and [rel](/api/delete)",
  );
  const link = screen.getByRole("link");
  expect(link).toHaveTextContent("good");
  expect(link).toHaveAttribute("href", "https://example.org/a?b=1");
  expect(link).toHaveAttribute("target", "_blank");
  expect(link.getAttribute("rel")).toContain("noopener");
  expect(link.getAttribute("rel")).toContain("noreferrer");
});

test("schemes are checked however they are written", () => {
  for (const href of [
    "JaVaScript:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:x",
  ]) {
    expect(safeHref(href)).toBeUndefined();
  }
});

test("a picture elsewhere is a link, since the page asks no other host", () => {
  const shown = show("![a cat](https://example.org/cat.png)");
  expect(shown.querySelector("img")).toBeNull();
  expect(screen.getByRole("link", { name: "a cat" })).toHaveAttribute("href", "https://example.org/cat.png");
});

test("entities are the characters they stand for, once", () => {
  expect(show("a &lt;b&gt; &amp;amp; &copy;")).toHaveTextContent("a <b> &amp; ©");
});

test("of a huge table the beginning is shown, and the rest when it is asked for", () => {
  const table = lex(`| a | b |\n| - | - |\n${"| 1 | 2 |\n".repeat(5)}`)[0] as Tokens.Table;
  const shown = render(<TableView table={table} mostCells={4} />).container;
  expect(shown.querySelectorAll("tbody tr")).toHaveLength(2);
  fireEvent.click(screen.getByRole("button", { name: "Show 3 more rows" }));
  expect(shown.querySelectorAll("tbody tr")).toHaveLength(5);
  expect(screen.queryByRole("button")).toBeNull();
});

test("whoever asks for the last row of a table goes on from the table", () => {
  const table = lex("| a | b |\n| - | - |\n| 1 | 2 |\n| 3 | 4 |\n")[0] as Tokens.Table;
  const shown = render(<TableView table={table} mostCells={2} />).container;
  fireEvent.click(screen.getByRole("button", { name: "Show 1 more row" }));
  expect(shown.querySelector(".table-scroll")).toHaveFocus();
});
