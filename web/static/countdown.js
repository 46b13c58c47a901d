// Counts down to the moment that a sales page names, by the server's clock. Without JavaScript the
// page says when it is.

const SECOND = 1000;
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const writing = document.documentElement.lang === "ar" ? "ar-u-nu-latn" : document.documentElement.lang;

/** The time left as numbers with their units, in the page's language. */
function parts(seconds) {
  let rest = seconds;
  return UNITS.map(([unit, length]) => {
    const count = Math.floor(rest / length);
    rest -= count * length;
    return new Intl.NumberFormat(writing, { style: "unit", unit, unitDisplay: "long" }).formatToParts(count);
  });
}

/** One of them: the number large, its unit below. */
function shown(piece) {
  const box = document.createElement("span");
  const of = (wanted) => piece.filter(({ type }) => (type === "unit") === wanted).map(({ value }) => value).join("").trim();
  const number = document.createElement("b");
  number.textContent = of(false);
  const unit = document.createElement("span");
  unit.textContent = of(true);
  box.append(number, " ", unit);
  return box;
}

function follow(place) {
  const ends = Date.parse(place.dataset.ends);
  const behind = Date.parse(place.dataset.now) - Date.now();
  let timer;
  const tick = () => {
    const left = Math.ceil((ends - Date.now() - behind) / SECOND);
    if (left <= 0) {
      clearInterval(timer);
      location.reload();
      return;
    }
    place.replaceChildren(...parts(left).map(shown));
  };
  timer = setInterval(tick, SECOND);
  tick();
}

for (const place of document.querySelectorAll("[data-ends]")) follow(place);
