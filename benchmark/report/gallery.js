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
