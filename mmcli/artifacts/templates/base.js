"use strict";
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
function sortBy(header) {
  const table = header.closest("table"), body = table.tBodies[0];
  const column = [...header.parentNode.children].indexOf(header);
  const up = header.getAttribute("aria-sort") === "descending" ||
    (header.getAttribute("aria-sort") === null && !header.classList.contains("n"));
  const key = (row) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim().replace("−", "-").replace(/ ?%$/, "");
    const value = Number(text);
    return text === "" || Number.isNaN(value) ? text.toLowerCase() : value;
  };
  const rows = [...body.rows].map((row, place) => ({ row, place, key: key(row) }));
  rows.sort((a, b) => {
    const mixed = typeof a.key !== typeof b.key;
    const order = mixed ? (typeof a.key === "string" ? 1 : -1) : a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
    return (mixed || up ? order : -order) || a.place - b.place;
  });
  for (const other of header.parentNode.children) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...rows.map((entry) => entry.row));
}
for (const header of document.querySelectorAll(".sortable thead th:not(.plain)")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  header.append(button);
  button.addEventListener("click", () => sortBy(header));
}
