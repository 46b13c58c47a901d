// Buttons of Latchkey on any page: <script src="…/embed.js" data-product="slug" async></script>
(() => {
  "use strict";
  const me = document.currentScript;
  const site = new URL(me.src).origin;
  const scripts = `script[data-product][src^="${site}/embed.js"]`;
  const parts = "[data-latchkey], [data-latchkey-not]";
  const tables = "[data-latchkey-pricing-table]";
  if (window.latchkey) return void window.latchkey.refresh();

  /** In each language, the site's first: open, buy, buy at a price, sign in. Latchkey fills it. */
  const words = /* words */ {};
  const languages = Object.keys(words);
  const base = (tag) => tag.toLowerCase().split(/[-_]/)[0];

  /** What we say beside a script: in the language that it names, else in that of the page there,
      else as the browser asks. */
  const languageOf = (script) =>
    [script.dataset.lang, script.closest("[lang]")?.lang, ...navigator.languages]
      .map((tag) => languages.find((one) => base(one) === base(tag ?? "")))
      .find(Boolean) ?? languages[0];

  // Private windows and strict settings may refuse storage: then a sign-in lasts for this page.
  const kept = {};
  const keep = (area, name, value) => {
    kept[name] = value;
    try {
      value ? area().setItem(name, value) : area().removeItem(name);
    } catch {}
  };
  const look = (area, name) => {
    try {
      return area().getItem(name) ?? kept[name];
    } catch {
      return kept[name];
    }
  };
  const local = () => localStorage;
  const session = () => sessionStorage;

  /** Take the token that the site gave back, if this page has asked for it. */
  const back = new URLSearchParams(location.hash.slice(1));
  if (back.has("latchkey")) {
    if (back.get("state") && back.get("state") === look(session, "latchkey-state")) {
      keep(local, "latchkey", back.get("latchkey"));
    }
    keep(session, "latchkey-state");
    history.replaceState(history.state, "", location.pathname + location.search);
  }

  const get = async (path, options) => {
    const answer = await fetch(site + path, options);
    if (!answer.ok) throw new Error(`Latchkey answered ${answer.status}`);
    return answer.json();
  };

  const prices = {};
  const priceOf = (slug, language) => {
    const path = `/embed/products/${encodeURIComponent(slug)}?lang=${language}`;
    return (prices[path] ??= get(path).catch(() => null));
  };

  /** What the visitor has: the cookie says it on the site's own domain, the token elsewhere. */
  async function ask(slugs) {
    if (!slugs.length) return { signed_in: false, access: {}, references: {} };
    const query = slugs.map((slug) => `product=${encodeURIComponent(slug)}`).join("&");
    const token = look(local, "latchkey");
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const found = await get(`/embed/access?${query}`, { credentials: "include", headers });
    if (token && !found.signed_in) keep(local, "latchkey");
    return found;
  }

  function signIn(event) {
    event.preventDefault();
    const state = crypto.getRandomValues(new Uint32Array(4)).join("");
    keep(session, "latchkey-state", state);
    const here = location.href.split("#")[0];
    const back = here.length > 300 ? here.split("?")[0] : here;
    const query = new URLSearchParams({ return: back, state });
    location.assign(`${site}/embed/sign-in?${query}`);
  }

  /** A link with the page's text, or with ours, which is in another language perhaps. */
  const link = (kind, href, own, ours, language, fill = (text) => text) => {
    const made = document.createElement("a");
    made.className = kind;
    made.href = href;
    made.textContent = fill(own ?? ours).trim();
    if (own === undefined) Object.assign(made, { lang: language, dir: "auto" });
    return made;
  };

  async function button(script, found) {
    const { product: slug, buy, open, signIn: bought } = script.dataset;
    const language = languageOf(script);
    const [toOpen, toBuy, toBuyAt, toSignIn] = words[language];
    const shown = await priceOf(slug, language);
    const box = document.createElement("span");
    box.className = "latchkey";
    const values = { "{name}": shown?.name ?? slug, "{price}": shown?.price ?? "" };
    const fill = (text) => text.replace(/\{name\}|\{price\}/g, (place) => values[place]);
    if (found?.access[slug]) {
      const target = shown?.open ?? `${site}/products/${slug}`;
      box.append(link("latchkey-open", target, open, toOpen, language, fill));
    } else if (!shown || shown.buy) {
      const target = shown?.buy ?? `${site}/buy/${slug}`;
      const usual = shown?.price ? toBuyAt : toBuy;
      box.append(link("latchkey-buy", target, buy, usual, language, fill));
    }
    if (found && !found.signed_in) {
      const here = `${site}/products/${slug}`;
      const made = link("latchkey-sign-in", here, bought, toSignIn, language);
      made.addEventListener("click", signIn);
      box.append(" ", made);
    }
    script.latchkeyBox?.remove();
    script.latchkeyBox = box;
    script.after(box);
  }

  /** Stripe's pricing table reads its attributes once, so it is made when they are known. */
  function pricingTable(place, found) {
    if (place.firstChild) return;
    const made = document.createElement("stripe-pricing-table");
    made.setAttribute("pricing-table-id", place.dataset.latchkeyPricingTable);
    made.setAttribute("publishable-key", place.dataset.publishableKey);
    const reference = found?.references[place.dataset.product];
    if (reference) made.setAttribute("client-reference-id", reference);
    place.append(made);
  }

  async function refresh() {
    const all = (selector) => [...document.querySelectorAll(selector)];
    const slugOf = ({ dataset }) => dataset.latchkey ?? dataset.latchkeyNot ?? dataset.product;
    const slugs = new Set(all(`${scripts}, ${parts}, ${tables}`).map(slugOf).filter(Boolean));
    const found = await ask([...slugs]).catch(() => null);
    for (const part of all(parts)) {
      const { latchkey, latchkeyNot } = part.dataset;
      const has = (slug) => Boolean(found?.access[slug]);
      part.hidden = latchkey ? !has(latchkey) : has(latchkeyNot);
    }
    for (const place of all(tables)) pricingTable(place, found);
    await Promise.all(all(scripts).map((script) => button(script, found)));
    document.dispatchEvent(new CustomEvent("latchkey", { detail: found }));
  }

  window.latchkey = { refresh };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", refresh);
  else refresh();
})();
