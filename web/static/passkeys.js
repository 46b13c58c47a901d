// Passkeys: a form with data-passkey asks the browser, puts the answer into its field "credential",
// and is sent; one that isn't complete is sent without, and the page that answers says why. What is
// asked comes from the address in data-options, what is said from data-errors.

const OFFERED_FOR = 4 * 60 * 1000;
const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

function base64url(buffer) {
  const text = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** What the server asks, as the browser takes it; older browsers can't read JSON themselves. */
function read(kind, options) {
  const parse = kind === "create" ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";
  if (PublicKeyCredential[parse]) return PublicKeyCredential[parse](options);
  const ids = (list = []) => list.map((entry) => ({ ...entry, id: bytes(entry.id) }));
  const read = { ...options, challenge: bytes(options.challenge) };
  if (kind === "get") return { ...read, allowCredentials: ids(options.allowCredentials) };
  const user = { ...options.user, id: bytes(options.user.id) };
  return { ...read, user, excludeCredentials: ids(options.excludeCredentials) };
}

/** The browser's answer as JSON. */
function written(credential) {
  if (credential.toJSON) return JSON.stringify(credential.toJSON());
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = base64url(credential.response[name]);
  }
  const { id, type, authenticatorAttachment } = credential;
  const rest = { rawId: base64url(credential.rawId), clientExtensionResults: {}, authenticatorAttachment };
  return JSON.stringify({ id, type, response, ...rest });
}

/** The passkeys that the browser offers in the field for the address, until a form asks for one. */
let offer = null;
/** Whether a form has asked: a browser answers one request at a time. */
let asked = false;

async function ask(form, options = {}) {
  const kind = form.dataset.passkey;
  const answer = await fetch(form.dataset.options, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (answer.redirected) {
    location.assign(answer.url);
    return null;
  }
  if (answer.status === 422) {
    form.submit();
    return null;
  }
  if (answer.status === 429) throw new DOMException("", "busy");
  if (!answer.ok) throw new DOMException("", "expired");
  const publicKey = read(kind, await answer.json());
  return written(await navigator.credentials[kind]({ publicKey, ...options }));
}

/**
 * Have the browser offer its passkeys among what it fills in for the address. What was asked is
 * valid for five minutes, so it is asked again before that, as long as somebody looks at the page.
 */
async function offerIn(form) {
  if (!(await window.PublicKeyCredential?.isConditionalMediationAvailable?.())) return;
  if (asked) return;
  offer = new AbortController();
  const again = setTimeout(() => offer?.abort("expired"), OFFERED_FOR);
  try {
    const { signal } = offer;
    form.elements.credential.value = await ask(form, { mediation: "conditional", signal });
    form.submit();
  } catch (problem) {
    if (problem !== "expired") return;
    if (document.hidden) await new Promise((seen) => addEventListener("visibilitychange", seen, { once: true }));
    offerIn(form);
  } finally {
    clearTimeout(again);
  }
}

function follow(form) {
  const error = form.querySelector("[data-passkey-error]");
  const errors = JSON.parse(form.dataset.errors);
  const say = (name) => {
    error.textContent = errors[name] ?? errors.other;
    error.hidden = false;
  };
  form.hidden = false;
  if (!window.PublicKeyCredential) {
    if (form.dataset.passkey === "get") form.hidden = true;
    else say(window.isSecureContext ? "none" : "https");
    return;
  }
  let asking = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (asking) return;
    asking = true;
    error.hidden = true;
    asked = true;
    offer?.abort("asked");
    try {
      const given = await ask(form);
      if (given === null) return;
      form.elements.credential.value = given;
      form.submit();
    } catch (problem) {
      say(problem.name);
    } finally {
      asking = false;
      delete form.dataset.sent;
    }
  });
}

for (const form of document.querySelectorAll("form[data-passkey]")) follow(form);
if (document.querySelector("input[autocomplete~=webauthn]")) offerIn(document.querySelector("form[data-passkey=get]"));
