// The command palette: Ctrl-K or ⌘K, or the link "Search" of the menu. It shows what the page
// /admin/search answers, so that page does the same without JavaScript.

const PAUSE = 120;
const links = document.querySelectorAll("a[data-palette]");
const address = links[0].href;
const apple = /Mac|iPhone|iPad/.test(navigator.platform);

class Palette {
  constructor() {
    this.dialog = document.createElement("dialog");
    this.dialog.className = "palette";
    this.dialog.setAttribute("aria-label", spoken("Search"));
    this.field = document.createElement("input");
    this.field.type = "text";
    this.field.enterKeyHint = "go";
    this.field.maxLength = 200;
    this.field.placeholder = spoken("Name, email address, Stripe ID, product or page");
    this.field.autocomplete = "off";
    this.field.spellcheck = false;
    for (const [name, value] of Object.entries({
      role: "combobox",
      "aria-label": spoken("Search everything"),
      "aria-autocomplete": "list",
      "aria-controls": "palette-results",
    })) {
      this.field.setAttribute(name, value);
    }
    this.list = document.createElement("div");
    this.list.id = "palette-results";
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", spoken("Results"));
    this.status = document.createElement("p");
    this.status.className = "soft small";
    this.status.setAttribute("role", "status");
    this.expand(false);
    this.dialog.append(this.field, this.list, this.status);
    this.field.addEventListener("input", () => this.searchSoon());
    this.field.addEventListener("keydown", (event) => this.press(event));
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.follow(option, event.ctrlKey || event.metaKey);
    });
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    document.body.append(this.dialog);
  }

  open() {
    if (this.dialog.open) return;
    this.dialog.showModal();
    this.field.select();
    this.search();
  }

  searchSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.search(), PAUSE);
  }

  /** Shows the answer to what is typed now; an answer to what was typed before is dropped. */
  async search() {
    clearTimeout(this.waiting);
    this.asked?.abort();
    const asked = new AbortController();
    this.asked = asked;
    const text = this.field.value.trim();
    try {
      const answer = await fetch(`${address}?${new URLSearchParams({ q: text })}`, { signal: asked.signal });
      if (!answer.ok || answer.redirected) throw new Error("no answer");
      this.show(new DOMParser().parseFromString(await answer.text(), "text/html"), text);
    } catch {
      if (asked.signal.aborted) return;
      this.list.replaceChildren();
      this.expand(false);
      this.choose(null);
      this.status.textContent = spoken("We couldn't search. Press Enter to open the search page.");
    }
  }

  /** Shows the results of a search page as options. */
  show(found, text) {
    const groups = [...found.querySelectorAll("[data-found]")].map((section, at) => {
      const group = document.createElement("div");
      const heading = document.createElement("p");
      heading.id = `palette-group-${at}`;
      heading.className = "soft small";
      heading.textContent = section.querySelector("h2").textContent;
      group.setAttribute("role", "group");
      group.setAttribute("aria-labelledby", heading.id);
      group.append(heading, ...[...section.querySelectorAll("li > a")].map(optionOf));
      return group;
    });
    this.list.replaceChildren(...groups);
    this.expand(groups.length > 0);
    const options = this.options();
    options.forEach((option, at) => (option.id = `palette-option-${at}`));
    this.shown = text;
    this.status.textContent = options.length
      ? spoken(options.length === 1 ? "%s result" : "%s results", options.length)
      : spoken("No results. Part of a name or address is enough; a Stripe ID must be complete.");
    this.choose(options[0]);
  }

  expand(open) {
    this.list.hidden = !open;
    this.field.setAttribute("aria-expanded", open);
  }

  options() {
    return [...this.list.querySelectorAll("[role=option]")];
  }

  chosen() {
    return this.list.querySelector("[aria-selected=true]");
  }

  choose(option) {
    this.chosen()?.setAttribute("aria-selected", "false");
    if (!option) {
      this.field.removeAttribute("aria-activedescendant");
      return;
    }
    option.setAttribute("aria-selected", "true");
    this.field.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  press(event) {
    const options = this.options();
    const at = options.indexOf(this.chosen());
    const moves = {
      ArrowDown: (at + 1) % options.length,
      ArrowUp: (at - 1 + options.length) % options.length,
      PageDown: Math.min(at + 5, options.length - 1),
      PageUp: Math.max(at - 5, 0),
    };
    if (event.key in moves && options.length) {
      event.preventDefault();
      this.choose(options[moves[event.key]]);
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      this.enter(event.ctrlKey || event.metaKey);
    }
  }

  /** Enter follows the chosen result of what is typed now, even if that isn't shown yet. */
  async enter(elsewhere) {
    const text = this.field.value.trim();
    if (this.shown !== text) await this.search();
    if (this.field.value.trim() !== text) return;
    const option = this.chosen();
    if (option) this.follow(option, elsewhere);
    else location.assign(`${address}?${new URLSearchParams({ q: text })}`);
  }

  follow(option, elsewhere) {
    if (elsewhere) {
      open(option.dataset.href, "_blank", "noopener");
      return;
    }
    this.dialog.close();
    location.assign(option.dataset.href);
  }
}

function optionOf(link) {
  const option = document.createElement("div");
  option.setAttribute("role", "option");
  option.setAttribute("aria-selected", "false");
  option.dataset.href = link.getAttribute("href");
  option.append(...link.childNodes);
  return option;
}

let palette;

function openPalette() {
  palette ??= new Palette();
  palette.open();
}

for (const link of links) {
  link.querySelector("kbd").textContent = apple ? "⌘K" : "Ctrl K";
  link.setAttribute("aria-keyshortcuts", apple ? "Meta+K" : "Control+K");
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    openPalette();
  });
}

addEventListener("keydown", (event) => {
  const combined = apple ? event.metaKey : event.ctrlKey;
  if (!combined || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k") return;
  event.preventDefault();
  openPalette();
});
