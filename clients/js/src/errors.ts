/** Anything that a call can throw, besides the reason of your own `signal`. */
export class LatchkeyError extends Error {
  override name = "LatchkeyError";
}

/** The site refused the call. `code` is stable, `detail` says what to do, `body` is the whole answer. */
export class ApiError extends LatchkeyError {
  override name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly body: Record<string, unknown>,
  ) {
    super(`${code}: ${detail}`);
  }
}

/** The site didn't answer in time, or answered that it can't, and trying again didn't help. */
export class UnavailableError extends LatchkeyError {
  override name = "UnavailableError";
}

/** The error that an answer reports. */
export async function problemOf(answer: Response): Promise<ApiError> {
  const body = (await answer.json().catch(() => null)) as Record<string, unknown> | null;
  const code = typeof body?.["code"] === "string" ? body["code"] : "unknown";
  const detail = typeof body?.["detail"] === "string"
    ? body["detail"] : `the site answered ${answer.status}`;
  return new ApiError(answer.status, code, detail, body ?? {});
}
