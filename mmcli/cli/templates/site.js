const search = document.getElementById("search");
if (search) {
  const words = JSON.parse(document.getElementById("words").textContent);
  const rows = [...document.querySelectorAll("#pages li")];
  search.addEventListener("input", () => {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = `${words[row.dataset.topic]} ${row.textContent.toLowerCase()}`;
      row.hidden = !asked.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    document.getElementById("count").textContent = asked.length ? `${shown} of ${rows.length} pages` : "";
  });
}
