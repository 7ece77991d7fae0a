import { wordsForErrors } from "@/i18n/errors";

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

export function errorFrom(body: unknown, response: Response): ApiError {
  const retry = Number(response.headers.get("Retry-After"));
  const { message, code } = described(body);
  const said = wordsForErrors().said(message ?? `${response.status} ${response.statusText}`.trim());
  return new ApiError(said, response.status, code, Number.isFinite(retry) && retry > 0 ? retry : null);
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
