"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Sorting: a press on a heading; cells without a number stay at the end.
function value(row, column) {
  const cell = row.cells[column];
  if (!("value" in cell.dataset)) return cell.textContent.trim().toLowerCase();
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}
function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}
for (const table of all("table.sortable")) {
  const heads = all("thead th", table);
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const other = { ascending: "descending", descending: "ascending" };
      const order = other[head.getAttribute("aria-sort")] || head.dataset.first || "ascending";
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(value(a, column), value(b, column), sign));
      table.tBodies[0].append(...rows);
    });
  });
}

// Filtering: every word must stand somewhere in the row or in its board's title.
const filter = document.getElementById("filter");
const protocol = document.getElementById("protocol");
function applyFilter() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const board of all(".board")) {
    const title = board.querySelector("h3").textContent.toLowerCase();
    const wanted = !protocol.value || board.dataset.protocol === protocol.value;
    let left = 0;
    for (const row of all("tbody tr", board)) {
      const text = `${title} ${row.textContent.toLowerCase()}`;
      row.hidden = !words.every((word) => text.includes(word));
      left += !row.hidden;
    }
    board.hidden = !wanted || !left;
    shown += board.hidden ? 0 : left;
  }
  document.getElementById("nothing").hidden = shown > 0;
}
filter.addEventListener("input", applyFilter);
protocol.addEventListener("change", applyFilter);
const extra = document.getElementById("extra");
const showExtra = () => document.getElementById("main").classList.toggle("all", extra.checked);
extra.addEventListener("change", showExtra);

// Legends hide and show a method's lines; a breakdown shows the chosen metric.
for (const button of all(".legend button")) {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    const lines = all(`.chart .k${button.dataset.series}`, button.closest("section"));
    lines.forEach((line) => line.classList.toggle("off", !on));
  });
}
for (const choice of all(".breakdown .metric")) {
  const show = () =>
    all(".scroll", choice.closest("details")).forEach((table, index) => {
      table.hidden = index !== Number(choice.value);
    });
  choice.addEventListener("change", show);
  show();
}

// The gallery: a native dialog (Escape closes it and gives the focus back); arrow keys turn the pages.
const viewer = document.getElementById("viewer");
const body = document.getElementById("viewer-body");
let wall = [];
let place = 0;
function open(index) {
  place = (index + wall.length) % wall.length;
  const exhibit = wall[place];
  body.replaceChildren(exhibit.querySelector(".pictures").cloneNode(true));
  body.setAttribute("style", exhibit.getAttribute("style") || "");
  document.getElementById("viewer-name").textContent = exhibit.querySelector(".name").textContent;
  if (!viewer.open) viewer.showModal();
}
for (const gallery of all(".gallery")) {
  const exhibits = all(".exhibit", gallery);
  exhibits.forEach((exhibit, index) =>
    exhibit.addEventListener("click", () => {
      wall = exhibits;
      open(index);
    }),
  );
}
viewer.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") open(place + 1);
  if (event.key === "ArrowLeft") open(place - 1);
});
viewer.addEventListener("click", (event) => {
  if (event.target === viewer) viewer.close();
});
all("[data-go]", viewer).forEach((button) =>
  button.addEventListener("click", () => open(place + Number(button.dataset.go))),
);
document.getElementById("close").addEventListener("click", () => viewer.close());
viewer.addEventListener("close", () => wall[place]?.focus());
applyFilter();
showExtra();
