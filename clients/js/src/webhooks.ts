// Standard Webhooks, version 1: HMAC-SHA-256 over `id.timestamp.body`, by WebCrypto.
import type { components } from "./api.js";

export type WebhookEvent = components["schemas"]["WebhookEvent"];

/** The request wasn't signed with this secret, or is too old. */
export class WebhookError extends Error {
  override name = "WebhookError";
}

const TOLERANCE = 5 * 60;

type Headers_ = Headers | Record<string, string | string[] | undefined>;

function header(headers: Headers_, name: string): string {
  const found = headers instanceof Headers
    ? headers.get(name)
    : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  if (typeof found !== "string" || found === "") throw new WebhookError(`${name} is missing`);
  return found;
}

function bytes(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/**
 * The event of a request, once its signature is verified. `secret` is the endpoint's, `whsec_…`;
 * `body` is what arrived, byte for byte, so read it before anything parses it. Throws a
 * `WebhookError`: answer with 400 then.
 */
export async function verifyWebhook(
  secret: string, body: string | Uint8Array, headers: Headers_,
): Promise<WebhookEvent> {
  const raw = bytes(secret.replace(/^whsec_/, ""));
  if (!raw?.length) throw new TypeError("the secret isn't one of an endpoint: whsec_…");
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const seconds = Number(timestamp);
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1000 - seconds) > TOLERANCE) {
    throw new WebhookError("the request is too old, or a clock is wrong");
  }
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`);
  const key = await crypto.subtle.importKey(
    "raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["verify"],
  );
  for (const part of header(headers, "webhook-signature").split(" ")) {
    const [version, signature] = part.split(",");
    const given = version === "v1" && signature ? bytes(signature) : undefined;
    if (given && (await crypto.subtle.verify("HMAC", key, given, signed))) return parsed(text);
  }
  throw new WebhookError("no signature is by this secret");
}

function parsed(text: string): WebhookEvent {
  try {
    return JSON.parse(text) as WebhookEvent;
  } catch {
    throw new WebhookError("the body isn't JSON");
  }
}
