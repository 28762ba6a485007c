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
const choices = all("select[data-by]"); // of what a row says of itself: its trust, its encoder's pretraining
const parts = all("select[data-of]"); // of what stands around a board: its splits
function applyFilter() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const board of all(".board")) {
    const title = board.querySelector("h3").textContent.toLowerCase();
    const place = board.parentElement.dataset;
    const wanted =
      (!protocol.value || board.dataset.protocol === protocol.value) &&
      parts.every((part) => !part.value || place[part.dataset.of] === part.value);
    let left = 0;
    for (const row of all("tbody tr", board)) {
      const text = `${title} ${row.textContent.toLowerCase()}`;
      row.hidden =
        !words.every((word) => text.includes(word)) ||
        choices.some((choice) => choice.value && row.dataset[choice.dataset.by] !== choice.value);
      left += !row.hidden;
    }
    if (!board.querySelector("tbody")) left = words.every((word) => title.includes(word)) ? 1 : 0;
    board.hidden = !wanted || !left;
    shown += board.hidden ? 0 : left;
  }
  document.getElementById("nothing").hidden = shown > 0;
  for (const one of all(".of-protocol")) one.hidden = protocol.value && one.dataset.protocol !== protocol.value;
  for (const choice of all(".breakdown .metric")) {
    for (const option of choice.options) {
      option.hidden = option.disabled = Boolean(protocol.value) && option.dataset.protocol !== protocol.value;
    }
    if (choice.selectedOptions[0]?.disabled) {
      const same = choice.selectedOptions[0].textContent.split(" (")[0];
      const fitting = [...choice.options].filter((option) => !option.disabled);
      const next = fitting.find((option) => option.textContent.split(" (")[0] === same) || fitting[0];
      if (next) choice.value = next.value;
      choice.dispatchEvent(new Event("change"));
    }
  }
}
filter.addEventListener("input", applyFilter);
for (const choice of [protocol, ...choices, ...parts]) choice.addEventListener("change", applyFilter);
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

applyFilter();
showExtra();
