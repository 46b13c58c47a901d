// The order of a page's blocks, by dragging a handle or by its arrow keys. Without JavaScript each
// block has buttons that move it.

const list = document.querySelector("[data-arrange]");
const said = document.querySelector("[data-arranged]");
const form = document.getElementById(list.dataset.arrange);

const rows = () => [...list.children];
const order = () => rows().map((row) => row.id).join(" ");

let saved = order();
let sending = Promise.resolve();

function say(text) {
  said.textContent = text;
}

function place(row) {
  const all = rows();
  return `${row.dataset.name}: ${all.indexOf(row) + 1} of ${all.length}`;
}

/** The first can't go up, and the last can't go down. */
function settle() {
  const all = rows();
  all.forEach((row, number) => {
    row.querySelector("button[value=up]").disabled = number === 0;
    row.querySelector("button[value=down]").disabled = number === all.length - 1;
  });
}

/** Save the order that the list has now; one after the other, so the last one stays. */
function save(row) {
  settle();
  const wanted = order();
  if (wanted === saved) return;
  saved = wanted;
  sending = sending.then(() => send(row, wanted));
}

async function send(row, wanted) {
  if (wanted !== saved) return;
  const fields = new FormData(form);
  fields.set("order", wanted);
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
    if (answer.type !== "opaqueredirect") throw new Error(String(answer.status));
  } catch {
    saved = "";
    say("The order wasn't saved. Reload the page and try again.");
    return;
  }
  say(`Saved. ${place(row)}.`);
  for (const frame of document.querySelectorAll("iframe.phone")) frame.contentWindow.location.reload();
}

function step(row, down) {
  const other = down ? row.nextElementSibling : row.previousElementSibling;
  if (!other) {
    say(`${place(row)}. It can't go further ${down ? "down" : "up"}.`);
    return;
  }
  if (down) other.after(row);
  else other.before(row);
  save(row);
}

/** Moving a row takes the focus from what is in it. */
function keeping(control, change) {
  change();
  if (!control.disabled) control.focus();
  else control.parentElement.querySelector("button:not([disabled])")?.focus();
}

function drag(handle, row) {
  handle.addEventListener("pointerdown", (start) => {
    if (start.button !== 0) return;
    start.preventDefault();
    handle.focus();
    row.classList.add("dragged");
    const move = (event) => {
      const over = rows().find((one) => one !== row && isOver(one, event.clientY));
      if (!over) return;
      if (rows().indexOf(over) > rows().indexOf(row)) over.after(row);
      else over.before(row);
    };
    const stop = () => {
      row.classList.remove("dragged");
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", stop);
      document.removeEventListener("pointercancel", stop);
      save(row);
    };
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", stop);
    document.addEventListener("pointercancel", stop);
  });
}

/** Whether the pointer has passed the middle of a row, so that rows of different heights don't take
    turns. */
function isOver(row, y) {
  const { top, bottom, height } = row.getBoundingClientRect();
  return y > top + height / 4 && y < bottom - height / 4;
}

for (const row of rows()) {
  const handle = document.createElement("button");
  handle.type = "button";
  handle.className = "plain mini handle";
  handle.textContent = "↕";
  handle.setAttribute("aria-label", `Move ${row.dataset.name}: arrow keys, or drag`);
  row.prepend(handle);
  drag(handle, row);
  handle.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    keeping(handle, () => step(row, event.key === "ArrowDown"));
  });
  const buttons = row.querySelector("form");
  buttons.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    keeping(event.submitter, () => step(row, event.submitter.value === "down"));
  }, true);
}
