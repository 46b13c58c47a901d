// A list that can be put in order: by the buttons in its rows' forms, or by a handle that takes the
// arrow keys and can be dragged. After each move the rows are those that the site answers with, so
// that what others have changed is there, too.
const list = document.querySelector("[data-order]");
const said = document.querySelector("[data-order-said]");
let saved = [...list.children];
let moves = Promise.resolve();
let letGo = () => {};

const number = (row) => [...list.children].indexOf(row);
const placed = (row) => spoken("%s: place %s of %s.", row.dataset.name, number(row) + 1, saved.length);

async function move(id, step, places) {
  const form = document.getElementById(id)?.querySelector("form");
  if (!form) return;
  const fields = new URLSearchParams(new FormData(form));
  fields.set("do", step);
  fields.set("places", places);
  const answer = await fetch(form.action, { method: "POST", body: fields });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.querySelector("[data-order]");
  if (!found) {
    location.reload();
    return;
  }
  letGo();
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest("[data-name]").id;
  list.replaceChildren(...found.children);
  saved = [...list.children];
  saved.forEach(addHandle);
  enhance(list);
  if (row) focusIn(document.getElementById(row), focused.value);
  const moved = document.getElementById(id);
  if (moved) said.textContent = placed(moved);
  for (const frame of document.querySelectorAll("iframe")) frame.contentWindow.location.reload();
}

/** The button that was pressed keeps the focus; at the end of the list, the other one of its row. */
function focusIn(row, value) {
  const buttons = [...(row?.querySelectorAll("button:not([disabled])") ?? [])];
  const pressed = buttons.find((button) => button.value === value);
  (pressed ?? buttons.find((button) => button.name === "do"))?.focus();
}

/** Moves follow one another, however fast they are asked for. */
function ask(id, step, places = 1) {
  moves = moves.then(() => move(id, step, places)).catch(() => {
    list.replaceChildren(...saved);
    said.textContent = spoken("We couldn't reach the site, so nothing was moved. Try again.");
  });
}

function addHandle(row) {
  if (saved.length < 2) return;
  const handle = document.createElement("button");
  handle.type = "button";
  handle.className = "plain mini handle";
  handle.value = "handle";
  handle.textContent = "↕";
  handle.setAttribute("aria-label", spoken("Move %s: arrow keys, or drag", row.dataset.name));
  row.querySelector("form").prepend(handle);
  handle.addEventListener("keydown", (event) => {
    const step = { ArrowUp: "up", ArrowDown: "down" }[event.key];
    if (!step) return;
    event.preventDefault();
    const further = step === "up" ? row.previousElementSibling : row.nextElementSibling;
    if (further) ask(row.id, step);
    else said.textContent = `${placed(row)} ${step === "up" ? spoken("It can't go further up.") : spoken("It can't go further down.")}`;
  });
  handle.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    handle.focus();
    drag(row, event.pointerId);
  });
}

/** The row follows the pointer; Escape puts it back. */
function drag(row, pointer) {
  const from = number(row);
  const next = row.nextElementSibling;
  const dragging = new AbortController();
  const end = () => {
    dragging.abort();
    row.classList.remove("dragged");
  };
  const back = () => {
    end();
    list.insertBefore(row, next);
  };
  const on = (target, name, listener) => target.addEventListener(name, listener, { signal: dragging.signal });
  letGo = end;
  row.classList.add("dragged");
  list.setPointerCapture(pointer);
  on(list, "pointermove", (event) => {
    const middle = (box) => box.top + box.height / 2;
    const below = [...list.children].find(
      (other) => other !== row && event.clientY < middle(other.getBoundingClientRect()),
    );
    if ((below ?? null) !== row.nextElementSibling) list.insertBefore(row, below ?? null);
    if (event.clientY < 50) scrollBy(0, -15);
    if (event.clientY > innerHeight - 50) scrollBy(0, 15);
  });
  on(list, "pointerup", () => {
    end();
    const by = number(row) - from;
    if (by) ask(row.id, by < 0 ? "up" : "down", Math.abs(by));
  });
  on(list, "pointercancel", back);
  on(document, "keydown", (event) => event.key === "Escape" && back());
}

list.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(event.target.closest("[data-name]").id, event.submitter.value);
});
saved.forEach(addHandle);
