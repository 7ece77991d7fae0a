import type { ShownSetting } from "./queries";

/** A value as people read it: texts as they are, everything else as JSON. */
export const shownValue = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** How many secrets a setting holds that the server does not show; 0 for what is no secret. */
export function hiddenCount({ value }: ShownSetting): number {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((each) => each === "***").length;
}

/** The command that writes a setting into the configuration file. */
export function commandFor({ key, value }: ShownSetting): string {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const words = values.map((each) => quoted(shownValue(each)));
  return ["mlxr config set", key, ...(words.length === 0 ? ["''"] : words)].join(" ");
}

const quoted = (text: string): string => (/^[\w.:/@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** Returns the settings whose key or meaning has every word of `sought`, in groups by section. */
export function sectionsOf(
  settings: readonly ShownSetting[],
  sought: string,
  changedOnly: boolean,
): [string, ShownSetting[]][] {
  const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
  const sections = new Map<string, ShownSetting[]>();
  for (const setting of settings) {
    const text = `${setting.key} ${setting.about} ${setting.where}`.toLowerCase();
    if ((changedOnly && setting.source === "default") || !words.every((word) => text.includes(word))) continue;
    const section = setting.key.split(".", 1)[0] ?? "";
    sections.set(section, [...(sections.get(section) ?? []), setting]);
  }
  return [...sections];
}
