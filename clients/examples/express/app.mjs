// An Express app with a course for those who have it, told at once when that changes.
import express from "express";
import { Latchkey, verifyWebhook, WebhookError } from "latchkey-client";

const site = process.env.LATCHKEY_URL;
const course = process.env.COURSE ?? "course";
const latchkey = new Latchkey(site, process.env.LATCHKEY_TOKEN);

export const app = express();

/** Who is signed in at this app: put your own here. Never believe what a browser says. */
app.locals.signedInEmail = (request) => undefined;

/** Lets in who may open the product now, and leads others to where it is sold. */
const opens = (product) => async (request, response, next) => {
  const email = app.locals.signedInEmail(request);
  if (!email) return response.status(401).json({ error: "sign in first" });
  if (!(await latchkey.hasAccess(product, { email }))) {
    return response.redirect(303, `${site}/buy/${product}`);
  }
  response.locals.email = email;
  next();
};

app.get("/course", opens(course), (request, response) => {
  response.json({ lesson: `Welcome, ${response.locals.email}` });
});

// `raw`: the signature is over the bytes that arrived, so nothing may parse them first.
app.post("/webhooks/latchkey", express.raw({ type: "*/*" }), async (request, response) => {
  try {
    const event = await verifyWebhook(
      process.env.LATCHKEY_WEBHOOK_SECRET, request.body, request.headers,
    );
    if (event.type === "access.ended") {
      // Close the sessions of event.data.user here.
    }
    response.status(204).end();
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    response.status(400).json({ error: "this wasn't signed by the site" });
  }
});
