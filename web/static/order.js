// Rows that can be put in order: by the buttons of their forms, or by dragging. After each move the
// rows are those that the site answers with, so that what others have changed is there, too.
const body = document.querySelector("tbody[data-order]");
const said = document.querySelector("[data-order-said]");
let saved = [...body.rows];
let moves = Promise.resolve();

async function move(id, step, places) {
  const form = document.getElementById(id)?.querySelector("form");
  if (!form) return;
  const fields = new URLSearchParams(new FormData(form));
  fields.set("do", step);
  fields.set("places", places);
  const answer = await fetch(form.action, { method: "POST", body: fields });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.querySelector("tbody[data-order]");
  if (!found) {
    location.reload();
    return;
  }
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest("tr").id;
  body.replaceChildren(...found.rows);
  saved = [...body.rows];
  saved.forEach(addGrip);
  if (row) focusIn(document.getElementById(row), focused.value);
  const moved = document.getElementById(id);
  if (moved) said.textContent = `${moved.dataset.name}: place ${moved.sectionRowIndex + 1} of ${saved.length}.`;
}

/** The button that was pressed keeps the focus; at the end of the list, the other one of its row. */
function focusIn(row, value) {
  const buttons = [...(row?.querySelectorAll("button") ?? [])].filter((button) => !button.disabled);
  (buttons.find((button) => button.value === value) ?? buttons[0])?.focus();
}

/** Moves follow one another, however fast they are asked for. */
function ask(id, step, places = 1) {
  moves = moves.then(() => move(id, step, places)).catch(() => {
    body.replaceChildren(...saved);
    said.textContent = "We couldn't reach the site, so nothing was moved. Try again.";
  });
}

function addGrip(row) {
  const form = row.querySelector("form");
  if (!form || saved.length < 2) return;
  const grip = document.createElement("span");
  grip.className = "grip";
  grip.title = "Drag to move";
  grip.textContent = "⋮⋮";
  grip.setAttribute("aria-hidden", "true");
  form.prepend(grip);
  grip.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    drag(row, event.pointerId);
  });
}

/** The row follows the pointer; Escape puts it back. */
function drag(row, pointer) {
  const from = row.sectionRowIndex;
  const next = row.nextElementSibling;
  const dragging = new AbortController();
  const end = () => {
    dragging.abort();
    row.classList.remove("dragged");
  };
  const back = () => {
    end();
    body.insertBefore(row, next);
  };
  const on = (target, name, listener) => target.addEventListener(name, listener, { signal: dragging.signal });
  row.classList.add("dragged");
  body.setPointerCapture(pointer);
  on(body, "pointermove", (event) => {
    const middle = (box) => box.top + box.height / 2;
    const below = [...body.rows].find(
      (other) => other !== row && event.clientY < middle(other.getBoundingClientRect()),
    );
    if ((below ?? null) !== row.nextElementSibling) body.insertBefore(row, below ?? null);
    if (event.clientY < 50) scrollBy(0, -15);
    if (event.clientY > innerHeight - 50) scrollBy(0, 15);
  });
  on(body, "pointerup", () => {
    end();
    const by = row.sectionRowIndex - from;
    if (by) ask(row.id, by < 0 ? "up" : "down", Math.abs(by));
  });
  on(body, "pointercancel", back);
  on(document, "keydown", (event) => event.key === "Escape" && back());
}

body.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(event.target.closest("tr").id, event.submitter.value);
});
saved.forEach(addGrip);
