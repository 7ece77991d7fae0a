import { readPreferences } from "@/app/preferences";
import { wordsForErrors } from "@/i18n/errors";
import { serverWords } from "@/i18n/server/serverWords";

/** A request that the server refused, or that never reached it. `message` is a sentence for people. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    message: string,
    /** HTTP's status; 0 where no answer came. */
    readonly status: number,
    readonly code: string | null = null,
    /** Seconds after which to try again, where the server says so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

/** Returns the error of a request that the server never heard, or of an answer that broke off. */
export const connectionError = (code: "unreachable" | "broken"): ApiError =>
  new ApiError(wordsForErrors()[code], 0, code);

/** Returns the error in `response`, of any surface: `{error: "..."}` or `{error: {message, code}}`. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  return errorFrom(parsed(text) ?? text, response);
}

/** The same, of a body that is read already. */
export async function errorFrom(body: unknown, response: Response): Promise<ApiError> {
  const retry = Number(response.headers.get("Retry-After"));
  const { message, code } = described(body);
  const said = await inWords(message ?? `${response.status} ${response.statusText}`.trim());
  return new ApiError(said, response.status, code, Number.isFinite(retry) && retry > 0 ? retry : null);
}

/** Returns the server's sentence in the reader's language; one that is not known there is quoted as it is. */
async function inWords(sentence: string): Promise<string> {
  const translate = await serverWords[readPreferences().language]().catch(() => null);
  return translate?.(sentence) ?? wordsForErrors().said(sentence);
}

function described(body: unknown): { message: string | null; code: string | null } {
  if (typeof body === "string") return { message: body === "" ? null : body, code: null };
  if (!isRecord(body)) return { message: null, code: null };
  const error = body.error ?? body;
  if (typeof error === "string") return { message: error, code: stringOr(body.code) };
  if (isRecord(error)) return { message: stringOr(error.message), code: stringOr(error.code) };
  return { message: null, code: null };
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

const stringOr = (value: unknown): string | null => (typeof value === "string" ? value : null);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
