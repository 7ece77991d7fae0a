import { expect, test } from "vitest";
import type { ShownSetting } from "./queries";
import { commandFor, hiddenCount, sectionsOf } from "./values";

const setting = (key: string, value: unknown, more: Partial<ShownSetting> = {}): ShownSetting => ({
  key,
  value,
  source: "default",
  where: "",
  default: value,
  about: "",
  ...more,
});

test("the command writes what is in force, in a shell's words", () => {
  expect(commandFor(setting("server.port", 8080))).toBe("mlxr config set server.port 8080");
  expect(commandFor(setting("server.allowed_hosts", ["a.local", "it's"]))).toBe(
    "mlxr config set server.allowed_hosts a.local 'it'\\''s'",
  );
  expect(commandFor(setting("server.unix_socket", ""))).toBe("mlxr config set server.unix_socket ''");
});

test("secrets are counted, not shown", () => {
  expect(hiddenCount(setting("server.api_keys", ["***", "***"]))).toBe(2);
  expect(hiddenCount(setting("server.port", 1))).toBe(0);
});

test("settings are found by their name, meaning and source", () => {
  const all = [
    setting("server.port", 1, { about: "0 takes a free one" }),
    setting("server.host", "x", { source: "environment", where: "MLXR_SERVER_HOST" }),
    setting("log.level", "info"),
  ];
  const keys = (sought: string, changed = false) =>
    sectionsOf(all, sought, changed).flatMap(([, settings]) => settings.map(({ key }) => key));
  expect(keys("free")).toEqual(["server.port"]);
  expect(keys("SERVER host")).toEqual(["server.host"]);
  expect(keys("", true)).toEqual(["server.host"]);
  expect(sectionsOf(all, "", false).map(([section]) => section)).toEqual(["server", "log"]);
});
