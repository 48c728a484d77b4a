"use strict";
const find = (selector) => document.querySelector(selector);

/** Show the items that fit and that hold every word typed into `field`; say how many they are. */
function filter({ items, field, status, noun, fits = () => true }) {
  const texts = new Map(items.map((item) => [item, item.textContent.toLowerCase()]));
  return () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const item of items) {
      item.hidden = !(fits(item) && words.every((word) => texts.get(item).includes(word)));
    }
    const shown = items.filter((item) => !item.hidden).length;
    status.textContent = `${shown} of ${items.length} ${noun} shown.`;
  };
}

// A report on a scan of one's own has no claims.
const filterClaims = find("#claims") && filter({
  items: [...document.querySelectorAll(".claim")],
  field: find("#words"),
  status: find("#claims-shown"),
  noun: "claims",
  fits: ({ dataset }) =>
    [dataset.verdict, ""].includes(find("[name=verdict]:checked").value) && [dataset.question, ""].includes(find("#question").value),
});
const filterMetrics = filter({
  items: [...document.querySelectorAll(".metric")],
  field: find("#metric-words"),
  status: find("#metrics-shown"),
  noun: "metrics",
});

function apply() {
  filterClaims?.();
  filterMetrics();
  for (const group of document.querySelectorAll(".group")) group.hidden = !group.querySelector(".claim:not([hidden])");
}

for (const filters of document.querySelectorAll(".filters")) {
  filters.hidden = false;
  filters.addEventListener("input", apply);
}
// A page that is shown again may come with the fields as they were left.
addEventListener("pageshow", apply);

const enlarged = find("#enlarged");
for (const image of document.querySelectorAll("figure img")) {
  image.parentElement.addEventListener("click", () => {
    const copy = enlarged.querySelector("img");
    [copy.src, copy.alt] = [image.src, image.alt];
    enlarged.showModal();
  });
}
enlarged.addEventListener("click", ({ target }) => target.tagName === "IMG" || enlarged.close());

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => (details.open = true)));
