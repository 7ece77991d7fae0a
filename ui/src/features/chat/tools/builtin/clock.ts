import type { Tool } from "../tool";

/** Says what time it is in `zone` at `now`, in full. */
export function timeIn(zone: string | undefined, now: Date): string {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-GB", {
      dateStyle: "full",
      timeStyle: "long",
      ...(zone === undefined || zone === "" ? {} : { timeZone: zone }),
    });
  } catch {
    throw new Error(`there is no time zone ${zone}; one is called as in Europe/Berlin`);
  }
  return `${format.format(now)} (${format.resolvedOptions().timeZone}; ${now.toISOString()})`;
}

export const clock: Tool = {
  id: "clock",
  server: "",
  name: "clock",
  description: "Tells the current date, weekday and time.",
  parameters: {
    type: "object",
    properties: {
      time_zone: {
        type: "string",
        description: "By its IANA name, as in Asia/Tokyo; the person's own where it is left out.",
      },
    },
    additionalProperties: false,
  },
  run: async ({ time_zone }) => timeIn(typeof time_zone === "string" ? time_zone : undefined, new Date()),
};
