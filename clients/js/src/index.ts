// A client of Latchkey's JSON API, and the verification of its webhooks. It runs wherever `fetch`
// and WebCrypto do: Node.js 20, Deno, Bun, workers at the edge. Keep it on the server: whoever has
// the API token can do what the token can.
import type { components, paths } from "./api.js";
import { problemOf, UnavailableError } from "./errors.js";

export { ApiError, LatchkeyError, UnavailableError } from "./errors.js";
export { verifyWebhook, WebhookError, type WebhookEvent } from "./webhooks.js";
export type { components, paths };

export type Schemas = components["schemas"];
export type Access = Schemas["Access"];

/** A person, by email address or by the id of a user. */
export type Person = { email: string } | { user: number };

type Method = "get" | "post" | "put" | "patch" | "delete";
type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends object ? P : never;
}[keyof paths];
type Operation<M extends Method, P extends keyof paths> = paths[P][M];
type Part<O, K extends string> = O extends { parameters: { [N in K]?: infer T } } ? T : never;
type Body<O> = O extends { requestBody?: { content: { "application/json": infer T } } } ? T
  : O extends { requestBody?: { content: { "application/octet-stream": unknown } } } ? Blob
  : never;
type Answer<O> = O extends { responses: infer R }
  ? R extends { 200: { content: { "application/json": infer T } } } ? T
  : R extends { 201: { content: { "application/json": infer T } } } ? T
  : void
  : never;

/** What a call takes: the ids of its path, its parameters, its body. */
export type Given<M extends Method, P extends keyof paths> = {
  path?: Part<Operation<M, P>, "path">;
  query?: Part<Operation<M, P>, "query">;
  body?: Body<Operation<M, P>>;
  /** Requests with the same key are done once. Each POST has one by itself, for its attempts. */
  idempotencyKey?: string;
  signal?: AbortSignal;
};

export interface Options {
  /** Milliseconds for each attempt; 10,000 unless told. */
  timeout?: number;
  /** How often a call is tried again where nothing or a passing trouble answers; 2 unless told. */
  retries?: number;
  fetch?: typeof fetch;
}

const AGAIN = new Set([429, 502, 503, 504]);
const LONGEST_WAIT = 10_000;

export class Latchkey {
  readonly #base: string;
  readonly #token: string;
  readonly #timeout: number;
  readonly #retries: number;
  readonly #fetch: typeof fetch;

  /** `url` is the site's public URL, `token` an API token. */
  constructor(url: string, token: string, options: Options = {}) {
    this.#base = url.replace(/\/+$/, "");
    this.#token = token;
    this.#timeout = options.timeout ?? 10_000;
    this.#retries = options.retries ?? 2;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
  }

  /**
   * Whether a person may open a product now, by slug or id. Throws an `ApiError` with the code
   * `not_found` if there is no such product.
   */
  async hasAccess(product: string, person: Person): Promise<boolean> {
    return (await this.access(product, person)).access;
  }

  /** As `hasAccess`, with `until` and what gives it. The address isn't in the URL, which proxies log. */
  access(product: string, person: Person): Promise<Access> {
    return this.call("post", "/api/v1/access", { body: { product, ...person } });
  }

  /** Every item of a list, page by page: `for await (const user of latchkey.all("/api/v1/users"))`. */
  async *all<P extends PathOf<"get">>(
    path: P, given: Given<"get", P> = {},
  ): AsyncGenerator<Answer<Operation<"get", P>> extends { data: (infer T)[] } ? T : never> {
    let after: string | null | undefined;
    do {
      const query = { ...(given.query as object), ...(after ? { after } : {}) };
      const answer: unknown = await this.call("get", path, { ...given, query } as Given<"get", P>);
      const page = answer as { data: never[]; next: string | null };
      yield* page.data;
      after = page.next;
    } while (after);
  }

  /** Any call of the JSON API, typed: `call("get", "/api/v1/products/{id}", { path: { id } })`. */
  async call<M extends Method, P extends PathOf<M>>(
    method: M, path: P, given: Given<M, P> = {},
  ): Promise<Answer<Operation<M, P>>> {
    const url = this.#url(path, given.path as object, given.query as object);
    const headers: Record<string, string> = { authorization: `Bearer ${this.#token}` };
    const file = given.body instanceof Blob;
    if (file) headers["content-type"] = "application/octet-stream";
    else if (given.body !== undefined) headers["content-type"] = "application/json";
    if (method === "post") headers["idempotency-key"] = given.idempotencyKey ?? crypto.randomUUID();
    const init: RequestInit = { method: method.toUpperCase(), headers };
    if (file) init.body = given.body as Blob;
    else if (given.body !== undefined) init.body = JSON.stringify(given.body);
    for (let attempt = 0; ; attempt++) {
      const last = attempt >= this.#retries;
      const answer = await this.#attempt(url, init, given.signal, last);
      if (answer?.ok) return (await read(answer)) as Answer<Operation<M, P>>;
      if (answer) {
        const problem = await problemOf(answer);
        const again = AGAIN.has(problem.status) || problem.code === "idempotency_key_in_use";
        if (!again) throw problem;
        if (last) throw new UnavailableError(problem.message, { cause: problem });
      }
      await wait(attempt, answer, given.signal);
    }
  }

  async #attempt(
    url: string, init: RequestInit, signal: AbortSignal | undefined, last: boolean,
  ): Promise<Response | undefined> {
    const timeout = AbortSignal.timeout(this.#timeout);
    try {
      return await this.#fetch(url, {
        ...init, signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      if (last) throw new UnavailableError(`the site didn't answer: ${error}`, { cause: error });
      return undefined;
    }
  }

  #url(path: string, parts: object | undefined, query: object | undefined): string {
    const values = (parts ?? {}) as Record<string, unknown>;
    const filled = path.replace(/{(\w+)}/g, (_, name: string) => {
      const value = String(values[name] ?? "");
      // URLs have no such parts: the call would be another one.
      if (["", ".", ".."].includes(value)) {
        throw new TypeError(`${path} needs \`${name}\` in \`path\`, which can't be "${value}"`);
      }
      return encodeURIComponent(value);
    });
    const given = Object.entries(query ?? {}).filter(([, value]) => value != null);
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    return `${this.#base}${filled}${given.length ? `?${search}` : ""}`;
  }
}

async function read(answer: Response): Promise<unknown> {
  if (answer.status === 204) return undefined;
  try {
    return await answer.json();
  } catch (error) {
    throw new UnavailableError("the answer isn't JSON: is this the address of the site?", {
      cause: error,
    });
  }
}

function wait(attempt: number, answer: Response | undefined, signal?: AbortSignal): Promise<void> {
  const asked = answer?.headers.get("retry-after");
  const milliseconds = asked && /^\d+$/.test(asked)
    ? Number(asked) * 1000
    : 250 * 2 ** attempt * (0.5 + Math.random() / 2);
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(signal?.reason); };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, Math.min(milliseconds, LONGEST_WAIT));
    signal?.addEventListener("abort", stop, { once: true });
  });
}
