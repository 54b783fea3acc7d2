(() => {
  const heat = document.getElementById("heat");
  if (!heat) return;
  const rows = [...heat.rows].filter((row) => row.querySelector("td a"));
  const cells = rows.map((row) => [...row.cells].slice(1).map((cell) => cell.querySelector("a")));
  let here = null;
  const mark = (link) => {
    if (here) here.tabIndex = -1;
    here = link;
    here.tabIndex = 0;
  };
  for (const link of cells.flat()) if (link) link.tabIndex = -1;
  mark(cells.flat().find((link) => link));
  heat.setAttribute("role", "grid");
  heat.addEventListener("focusin", (event) => {
    const link = event.target.closest("td a");
    if (link) mark(link);
  });
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const open = document.querySelector(".cell:target");
    if (event.key === "Escape" && open) {
      const link = document.getElementById(open.id.replace("c-", "l-"));
      location.hash = link.id;
      link.focus();
      return;
    }
    const move = moves[event.key];
    if (!move || !event.target.closest("#heat td")) return;
    event.preventDefault();
    let row = cells.findIndex((all) => all.includes(here));
    let column = cells[row].indexOf(here);
    do {
      row += move[0];
      column += move[1];
    } while (cells[row] && column in cells[row] && !cells[row][column]);
    const link = cells[row] && cells[row][column];
    if (link) link.focus();
  });
  const reveal = () => {
    const target = document.querySelector(":target");
    const folded = target && target.closest("details");
    if (folded) folded.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
