// What JavaScript adds to the pages; each of them works without it.

/** How the page's language writes times: English with the day first, Arabic with the digits of its
    other numbers. */
const LANGUAGE = { en: "en-GB", ar: "ar-u-nu-latn" }[document.documentElement.lang] ?? document.documentElement.lang;

/** A message of a script in the page's language: what the page says it is called there. `%s` is filled
    in. */
const SPOKEN = JSON.parse(document.documentElement.dataset.spoken ?? "{}");

function spoken(message, ...values) {
  return values.reduce((text, value) => text.replace("%s", () => value), SPOKEN[message] ?? message);
}

/** Times in the reader's own zone; the exact moment on hover. */
function localTimes(root) {
  const day = { day: "numeric", month: "long", year: "numeric" };
  const minute = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" };
  const exact = { dateStyle: "full", timeStyle: "long" };
  for (const time of root.querySelectorAll("time[datetime]:not([data-done])")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.dataset.done = "";
    time.title = moment.toLocaleString(LANGUAGE, exact);
    if (time.dataset.show === "ago") continue;
    time.textContent = moment.toLocaleString(LANGUAGE, time.dataset.show === "day" ? day : minute);
  }
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const field of root.querySelectorAll("input[name=zone]")) field.value = zone;
  for (const place of root.querySelectorAll("[data-zone-name]")) place.textContent = spoken("in your time zone, %s", zone);
}

/** Links marked data-dialog open their page's content in a dialog instead. What its forms answer is
    shown there, too; where they lead elsewhere, the browser goes there. */
async function openInDialog(link) {
  const answer = await fetch(link.href, { headers: { "X-Requested-With": "dialog" } });
  if (!answer.ok || answer.redirected) {
    location.assign(link.href);
    return;
  }
  const dialog = document.createElement("dialog");
  dialog.className = link.dataset.dialog;
  dialog.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    sendInDialog(dialog, event.target, event.submitter);
  });
  dialog.addEventListener("click", (event) => {
    const inside = event.target.closest("a");
    if (!inside || event.metaKey || event.ctrlKey || event.shiftKey) return;
    if ("cancel" in inside.dataset) {
      event.preventDefault();
      dialog.close();
    } else if (inside.origin === link.origin && inside.pathname === link.pathname) {
      event.preventDefault();
      showInDialog(dialog, inside.href);
    }
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    link.focus();
  });
  document.body.append(dialog);
  fillDialog(dialog, await answer.text(), answer.url);
  dialog.showModal();
  focusInDialog(dialog);
}

function fillDialog(dialog, text, address) {
  const main = new DOMParser().parseFromString(text, "text/html").querySelector("main");
  for (const around of main.querySelectorAll(".crumbs, [data-alarm]")) around.remove();
  const close = document.createElement("button");
  close.className = "plain mini close";
  close.textContent = spoken("Close");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(close, ...main.childNodes);
  for (const form of dialog.querySelectorAll("form:not([action])")) form.action = address;
  const heading = dialog.querySelector("h1, h2");
  if (heading) {
    dialog.setAttribute("aria-label", heading.textContent.trim());
    heading.tabIndex = -1;
  }
  enhance(dialog);
}

/** The first field with an error has the focus, or the heading. */
function focusInDialog(dialog) {
  dialog.scrollTo(0, 0);
  const wrong = dialog.querySelector("[aria-invalid=true]");
  (wrong ?? dialog.querySelector("h1, h2"))?.focus();
}

async function showInDialog(dialog, address, options = {}) {
  const headers = { "X-Requested-With": "dialog" };
  const answer = await fetch(address, { headers, ...options });
  if (answer.redirected) {
    location.assign(answer.url);
    return;
  }
  fillDialog(dialog, await answer.text(), answer.url);
  focusInDialog(dialog);
}

async function sendInDialog(dialog, form, submitter) {
  const fields = new FormData(form, submitter);
  const target = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  const address = new URL(target, location.href);
  const posts = form.getAttribute("method") === "post";
  if (!posts) address.search = new URLSearchParams(fields);
  const plain = form.enctype !== "multipart/form-data";
  const body = plain ? new URLSearchParams(fields) : fields;
  try {
    await showInDialog(dialog, address, posts ? { method: "POST", body } : {});
  } catch {
    delete form.dataset.sent;
    const failed = document.createElement("p");
    failed.className = "error";
    failed.role = "alert";
    failed.textContent = spoken("We couldn't reach the site. Nothing may have been saved. Try again.");
    dialog.querySelector(":scope > .error")?.remove();
    dialog.prepend(failed);
    failed.scrollIntoView();
  }
}

/** A form is sent once, however often its button is pressed; files can be downloaded again. */
function sendOnce(form) {
  form.addEventListener("submit", (event) => {
    if (event.submitter && "download" in event.submitter.dataset) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}

/** A form marked data-auto is sent as soon as a choice in it changes. */
function sendOnChange(form) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select, input[type=checkbox], input[type=radio]")) form.requestSubmit();
  });
}

/** Progress is streamed; where no stream arrives, it is asked for again and again. */
function followProgress(part) {
  const show = (text) => {
    const made = new DOMParser().parseFromString(text, "text/html").body.firstElementChild;
    if (!made) return false;
    part.replaceChildren(...made.childNodes);
    localTimes(part);
    return !("stream" in made.dataset);
  };
  const stream = new EventSource(part.dataset.stream);
  const poll = async () => {
    stream.close();
    const answer = await fetch(part.dataset.poll).catch(() => null);
    const done = answer?.ok ? show(await answer.text()) : false;
    if (!done) setTimeout(poll, 2000);
  };
  let waiting = setTimeout(poll, 4000);
  stream.onmessage = (event) => {
    clearTimeout(waiting);
    show(event.data);
  };
  stream.addEventListener("done", () => stream.close());
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) waiting = setTimeout(poll, 2000);
  };
  addEventListener("pagehide", () => stream.close());
}

/** Ids under Details and configurations can be copied; a browser offers that only to pages that
    nobody can change on their way. */
function copyTexts(root) {
  if (!navigator.clipboard) return;
  for (const source of root.querySelectorAll("details.ids code, pre.copy")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link small";
    button.textContent = spoken("Copy");
    button.setAttribute("aria-label", spoken("Copy %s", source.dataset.name ?? source.textContent));
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = spoken("Copied");
      button.removeAttribute("aria-label");
    });
    (source.closest("a") ?? source).after(" ", button);
  }
}

/** A button marked data-copies copies what the page would show for copying that it leads to. Where
    that fails, or nothing can be copied, it leads there. */
function copyInstead(button) {
  if (!navigator.clipboard) return;
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    const said = button.form.querySelector("[data-said]");
    said.textContent = "";
    try {
      const body = new URLSearchParams(new FormData(button.form));
      const answer = await fetch(button.formAction, { method: "POST", body });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (page.querySelector(".warning")) throw new Error("not all of them");
      const text = page.querySelector("pre.copy").textContent;
      await navigator.clipboard.writeText(text);
      said.textContent = spoken("Emails copied: %s", text.split("\n").length);
    } catch {
      button.form.requestSubmit(button);
    }
  });
}

/** A file can be dropped anywhere on the field of a picture, and is shown before it is sent. */
function acceptDrops(field) {
  const input = field.querySelector("input[type=file]");
  const over = (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    field.classList.add("over");
  };
  field.addEventListener("dragenter", over);
  field.addEventListener("dragover", over);
  field.addEventListener("dragleave", (event) => {
    if (!field.contains(event.relatedTarget)) field.classList.remove("over");
  });
  field.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    field.classList.remove("over");
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    input.files = one.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  input.addEventListener("change", () => showChosen(field, input));
}

function showChosen(field, input) {
  const present = field.querySelector(".present:not([data-chosen])");
  field.querySelector("[data-chosen]")?.remove();
  if (present) present.hidden = Boolean(input.files.length);
  const file = input.files[0];
  const large = file && file.size > 10e6;
  input.setCustomValidity(large ? spoken("The file is larger than 10 MB. Please make it smaller.") : "");
  if (!file || large) {
    if (large) input.reportValidity();
    return;
  }
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    const picture = document.createElement("img");
    picture.className = "present";
    picture.dataset.chosen = "";
    picture.alt = spoken("Chosen: %s", file.name);
    picture.src = reader.result;
    input.before(picture);
  });
  reader.readAsDataURL(file);
}

/** The samples of the brand page follow its fields. */
function showBrand(form) {
  const sheet = document.querySelector("link[data-sample]");
  form.addEventListener("input", (event) => {
    if (event.target.name === "bar_colour") form.elements.bar.checked = true;
    const { colour, bar, bar_colour, font } = form.elements;
    const address = new URL(sheet.href);
    address.searchParams.set("colour", colour.value.slice(1));
    address.searchParams.set("bar", bar.checked ? bar_colour.value.slice(1) : "");
    address.searchParams.set("font", font.value);
    if (address.href !== sheet.href) sheet.href = address.href;
  });
}

function enhance(root) {
  localTimes(root);
  copyTexts(root);
  for (const form of root.querySelectorAll("form[method=post]")) sendOnce(form);
  for (const form of root.querySelectorAll("form[data-brand]")) showBrand(form);
  for (const button of root.querySelectorAll("[data-copies]")) copyInstead(button);
  for (const field of root.querySelectorAll("[data-drop]")) acceptDrops(field);
  for (const form of root.querySelectorAll("form[data-auto]")) sendOnChange(form);
  for (const part of root.querySelectorAll("[data-stream]")) followProgress(part);
  for (const link of root.querySelectorAll("a[data-dialog]")) {
    link.setAttribute("aria-haspopup", "dialog");
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      openInDialog(link).catch(() => location.assign(link.href));
    });
  }
}

/** A picture that can't be loaded is replaced by what is shown where there is none. */
function replaceDeadPicture(picture) {
  if (!("instead" in picture.dataset)) {
    picture.remove();
    return;
  }
  const instead = document.createElement("span");
  instead.className = picture.className;
  instead.textContent = picture.dataset.instead;
  if (!picture.alt) instead.setAttribute("aria-hidden", "true");
  picture.replaceWith(instead);
}

function replaceDeadPictures() {
  const failed = (event) => event.target.localName === "img" && replaceDeadPicture(event.target);
  document.addEventListener("error", failed, true);
  for (const picture of document.images) {
    const maybeDead = picture.complete && !picture.naturalWidth;
    if (maybeDead) picture.decode().catch(() => replaceDeadPicture(picture));
  }
}

/** After a refused form, the first field with an error has the focus. */
function focusFirstError() {
  document.querySelector("[aria-invalid=true]")?.focus();
}

/** The menu shows its current entry, where it is taller than the window. */
function showCurrentEntry() {
  const current = document.querySelector("#side nav a[aria-current]");
  const menu = current?.closest("nav");
  if (!menu) return;
  const below = current.getBoundingClientRect().bottom - menu.getBoundingClientRect().bottom;
  if (below > 0) menu.scrollTop += below + current.offsetHeight;
}

addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
document.addEventListener("htmx:load", (event) => localTimes(event.target));
enhance(document);
focusFirstError();
replaceDeadPictures();
showCurrentEntry();
