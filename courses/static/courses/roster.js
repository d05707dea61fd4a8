// Arrow keys move between the days of the roster; Tab and plain links do without.
const table = document.querySelector(".roster table");
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

const cells = table ? [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("td a")]) : [];

// One tab stop: the day that was left last, else the first.
const stop = (link) => {
  for (const one of cells.flat()) one.tabIndex = one === link ? 0 : -1;
};
const start = document.querySelector(location.hash && CSS.supports("selector(a)") ? `.roster a[id="${CSS.escape(location.hash.slice(1))}"]` : ".roster td a");
if (cells.length && cells[0].length) stop(start || cells[0][0]);
if (start && location.hash) start.focus();

table?.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const link = event.target.closest("td a");
  const row = cells.findIndex((links) => links.includes(link));
  if (row < 0) return;
  const column = cells[row].indexOf(link);
  let target = null;
  if (event.key in STEPS) target = cells[row + STEPS[event.key][0]]?.[column + STEPS[event.key][1]];
  else if (event.key === "Home") target = cells[row][0];
  else if (event.key === "End") target = cells[row].at(-1);
  else return;
  event.preventDefault();
  if (!target) return;
  stop(target);
  target.focus();
});
