// Thresholds: a slider over the image scores; misses and false alarms are counted and named as it moves.
const NAMED = 12;
function listed(rows) {
  const names = rows.slice(0, NAMED).map(([score, , name]) => (name ? `${name} (${score})` : String(score)));
  return names.join(", ") + (rows.length > NAMED ? ` and ${rows.length - NAMED} more` : "");
}
for (const box of all(".decision")) {
  const rows = JSON.parse(box.dataset.rows);
  const slider = box.querySelector("input");
  const put = (name, text) => (box.querySelector(`[data-put=${name}]`).textContent = text);
  const of = [0, 1].map((label) => rows.filter((row) => row[1] === label).length);
  const update = () => {
    const place = Number(slider.value);
    const [below, above] = [rows[place - 1]?.[0], rows[place]?.[0]];
    const value = below === undefined ? -Infinity : above === undefined ? below : (below + above) / 2;
    const misses = rows.filter((row) => row[1] === 1 && row[0] <= value).reverse();
    const alarms = rows.filter((row) => row[1] === 0 && row[0] > value);
    put("value", Number.isFinite(value) ? value.toPrecision(6) : "below all");
    put("misses", `${misses.length} of ${of[1]}`);
    put("alarms", `${alarms.length} of ${of[0]}`);
    put("missed", listed(misses) || "none");
    put("raised", listed(alarms) || "none");
  };
  slider.addEventListener("input", update);
  for (const mark of all("[data-place]", box))
    mark.addEventListener("click", () => {
      slider.value = mark.dataset.place;
      update();
    });
  update();
}
