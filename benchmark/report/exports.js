// Every table as CSV, every chart as SVG: made here from what is shown, so that nothing is fetched.
function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name.toLowerCase().replace(/[^a-z0-9.]+/g, "-").replace(/^-|-(?=\.)/g, "");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
function csvCell(cell) {
  const number = cell.dataset.value;
  let text = (number === undefined ? cell.textContent : number).trim().replace(/\s+/g, " ");
  if (/^[=+@\t\r-]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
function csvOf(table) {
  const rows = [...table.tHead.rows, ...table.tBodies[0].rows].filter((row) => !row.hidden);
  return rows.map((row) => [...row.cells].map(csvCell).join(",")).join("\n") + "\n";
}
function svgOf(chart) {
  const copy = chart.cloneNode(true);
  const kept = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "display", "font-size", "font-family"];
  const shown = all("*", chart);
  all("*", copy).forEach((part, index) => {
    const style = getComputedStyle(shown[index]);
    for (const name of kept) if (style.getPropertyValue(name)) part.style.setProperty(name, style.getPropertyValue(name));
  });
  copy.style.background = getComputedStyle(document.body).backgroundColor;
  return new XMLSerializer().serializeToString(copy);
}
for (const button of all(".export")) {
  button.addEventListener("click", () => {
    if (button.classList.contains("svg")) {
      const figure = button.closest("figure");
      save(`${figure.querySelector("figcaption").textContent}.svg`, "image/svg+xml", svgOf(figure.querySelector("svg")));
      return;
    }
    const board = button.closest(".board") || button.closest("details, section");
    const place = all(".scroll", board).find((one) => !one.hidden);
    const name = place.dataset.name || place.getAttribute("aria-label");
    save(`${name}.csv`, "text/csv", csvOf(place.querySelector("table")));
  });
}
