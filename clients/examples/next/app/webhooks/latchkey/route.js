// A route handler of the App Router: the site tells what changed.
import { verifyWebhook, WebhookError } from "latchkey-client";

export async function POST(request) {
  try {
    const body = await request.text();
    const event = await verifyWebhook(
      process.env.LATCHKEY_WEBHOOK_SECRET, body, request.headers,
    );
    if (event.type === "access.ended") {
      // Close the sessions of event.data.user here.
    }
    return new Response(null, { status: 204 });
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    return Response.json({ error: "this wasn't signed by the site" }, { status: 400 });
  }
}
