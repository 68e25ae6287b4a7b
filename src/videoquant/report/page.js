// Sort the table by the heading that is clicked; a second click turns the order round.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const column = head.cellIndex;
    const first = button.dataset.first === "down" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const th of head.parentNode.children) th.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const key = (row) => row.cells[column].dataset.value;
    const compare = (a, b) => {
      if (key(a) === undefined || key(b) === undefined) return (key(a) === undefined) - (key(b) === undefined);
      const difference = button.dataset.first === "text" ? key(a).localeCompare(key(b)) : key(a) - key(b);
      return sign * difference;
    };
    const body = head.closest("table").tBodies[0];
    body.append(...[...body.rows].sort(compare));
  });
}

// Enlarge a sample frame; any click or Escape closes it.
const dialog = document.querySelector("dialog");
if (dialog) {
  for (const image of document.querySelectorAll(".frames img")) {
    image.addEventListener("click", () => {
      dialog.querySelector("img").src = image.src;
      dialog.querySelector("p").textContent = image.closest("figure").querySelector("figcaption").textContent;
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", () => dialog.close());
}
