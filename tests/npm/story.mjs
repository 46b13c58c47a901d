// The story of tests/npm/test_node_sdk.py, told by Stripe's Node SDK: one JSON line per step.
import Stripe from "stripe";

const base = new URL(process.argv[2]);
const stripe = new Stripe("sk_test_story", {
  host: base.hostname,
  port: base.port,
  protocol: "http",
  telemetry: false,
  maxNetworkRetries: 0,
});
const tell = (step, value) => console.log(JSON.stringify([step, value]));

const product = await stripe.products.create({ name: "Story" });
const price = await stripe.prices.create({
  product: product.id,
  currency: "eur",
  unit_amount: 990,
  recurring: { interval: "month" },
});
const customer = await stripe.customers.create({
  email: "reader@story.example",
  payment_method: "pm_card_visa",
  invoice_settings: { default_payment_method: "pm_card_visa" },
  metadata: { kind: "story" },
});
tell("customer", [customer.email, customer.metadata.kind, customer.livemode]);
let subscription = await stripe.subscriptions.create({
  customer: customer.id,
  items: [{ price: price.id }],
  expand: ["latest_invoice"],
});
tell("subscription", [
  subscription.status,
  subscription.items.data[0].price.unit_amount,
  subscription.latest_invoice.status,
  subscription.latest_invoice.amount_paid,
]);
subscription = await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
tell("ending", subscription.cancel_at === subscription.items.data[0].current_period_end);
subscription = await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: false });
tell("going on", subscription.cancel_at);
for (const email of ["a@story.example", "b@story.example", "c@story.example"]) {
  await stripe.customers.create({ email, metadata: { walked: "yes" } });
}
const walked = [];
for await (const row of stripe.customers.list({ limit: 2 })) walked.push(row.email);
tell("walk", walked);
const session = await stripe.checkout.sessions.create({
  mode: "subscription",
  line_items: [{ price: price.id, quantity: 1 }],
  success_url: "https://example.com/",
});
tell("session", [session.status, session.amount_total, session.currency]);
try {
  await stripe.paymentIntents.create({
    amount: 100,
    currency: "eur",
    payment_method: "pm_card_chargeDeclined",
    confirm: true,
    automatic_payment_methods: { enabled: true, allow_redirects: "never" },
  });
} catch (error) {
  tell("declined", [error.type, error.code, error.decline_code, error.statusCode]);
}
try {
  await stripe.customers.retrieve("cus_nobody");
} catch (error) {
  tell("missing", [error.type, error.code, error.param, error.statusCode]);
}
const first = await stripe.customers.create({ name: "Once" }, { idempotencyKey: "story" });
const again = await stripe.customers.create({ name: "Once" }, { idempotencyKey: "story" });
tell("idempotent", first.id === again.id);
const found = await stripe.customers.search({ query: 'metadata["walked"]:"yes" AND email~"b@story"' });
tell("search", found.data.map((row) => row.email));
subscription = await stripe.subscriptions.cancel(subscription.id);
tell("cancelled", [subscription.status, subscription.ended_at !== null]);
const events = await stripe.events.list({ type: "customer.subscription.deleted" });
tell("events", events.data.map((event) => event.data.object.id === subscription.id));
