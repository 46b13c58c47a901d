// What the JavaScript client learns from a real site, as one line of JSON.
import { Latchkey, verifyWebhook } from "latchkey-client";

const given = JSON.parse(process.argv[2]);
const { url, trouble, token, slug, email, user } = given;
const latchkey = new Latchkey(`${url}/`, token);
const kind = (error) => ({ name: error.name, code: error.code, status: error.status });
const failing = (promise) => promise.then(() => "nothing", kind);

const found = {
  access: await latchkey.access(slug, { email }),
  byId: await latchkey.hasAccess(slug, { user }),
  other: await latchkey.hasAccess(slug, { email: `not-${email}` }),
  product: (await latchkey.call("get", "/api/v1/products/{id}", { path: { id: slug } })).slug,
  unknown: await failing(latchkey.hasAccess("no-such-product", { email })),
  taken: await failing(latchkey.call("post", "/api/v1/products", { body: { name: "x", slug } })),
  denied: await failing(new Latchkey(url, "lk_wrong").hasAccess(slug, { email })),
  elsewhere: await failing(
    latchkey.call("get", "/api/v1/products/{id}", { path: { id: "../users" } }),
  ),
  picture: await latchkey.call("post", "/api/v1/pictures", {
    query: { use: "icon" }, body: new Blob([Buffer.from(given.picture, "base64")]),
  }).then(({ url }) => url.replace(/.*-/, "")),
  another: [],
  slugs: [],
};
for (const id of ["", ".", ".."]) {
  const deleted = latchkey.call("delete", "/api/v1/products/{id}", { path: { id } });
  found.another.push(await failing(deleted));
}
for await (const product of latchkey.all("/api/v1/products", { query: { limit: 1 } })) {
  found.slugs.push(product.slug);
}

const passing = new Latchkey(trouble.passing, token, { timeout: 500, retries: 100 });
found.again = await passing.hasAccess(slug, { email });
const lasting = new Latchkey(trouble.lasting, token, { timeout: 200, retries: 2 });
found.lasting = await failing(lasting.hasAccess(slug, { email }));
const stopped = new Latchkey(trouble.lasting, token, { retries: 0 });
found.stopped = await failing(
  stopped.call("get", "/api/v1/team", { signal: AbortSignal.abort() }),
);

const { secret, body, headers } = given.webhook;
found.event = await verifyWebhook(secret, new TextEncoder().encode(body), new Headers(headers));
const lower = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]));
found.forged = [];
for (const [bySecret, text, sent] of [
  [given.webhook.other, body, lower],
  [secret, body.replace("7", "8"), lower],
  [secret, body, { ...lower, "webhook-id": "msg_2" }],
  [secret, body, { ...lower, "webhook-timestamp": "1" }],
  [secret, body, { ...lower, "webhook-signature": "v1,no v2,x" }],
  [secret, body, {}],
]) {
  found.forged.push((await failing(verifyWebhook(bySecret, text, sent))).name);
}
console.log(JSON.stringify(found));
