// The board's keys, its refresh and its line of the present.
const board = document.getElementById("board");

const cards = () => [...board.querySelectorAll("a.card")];

// --- One tab stop: arrows go from card to card ---
function settle(current) {
  const all = cards();
  const stop = current && all.includes(current) ? current : all[0];
  for (const card of all) card.tabIndex = card === stop ? 0 : -1;
}

function neighbour(card, key) {
  const columns = [...board.querySelectorAll(".column")].filter((column) => column.querySelector("a.card"));
  const column = card.closest(".column");
  const inside = [...column.querySelectorAll("a.card")];
  const at = inside.indexOf(card);
  if (key === "ArrowDown") return inside[at + 1];
  if (key === "ArrowUp") return inside[at - 1];
  if (key === "Home") return inside[0];
  if (key === "End") return inside[inside.length - 1];
  const next = columns[columns.indexOf(column) + (key === "ArrowRight" ? 1 : -1)];
  if (!next) return undefined;
  const top = card.getBoundingClientRect().top;
  const distance = (other) => Math.abs(other.getBoundingClientRect().top - top);
  return [...next.querySelectorAll("a.card")].sort((a, b) => distance(a) - distance(b))[0];
}

const KEYS = ["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End"];

// --- Refresh: every ten seconds while the page is seen; only when something changed is it drawn again ---
async function refresh() {
  if (document.visibilityState !== "visible") return;
  const columns = document.getElementById("board-columns");
  const address = `${board.dataset.here}&seen=${columns.dataset.digest}`;
  let answer;
  try {
    answer = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
  } catch {
    return; // the next tick tries again
  }
  if (answer.status !== 200 || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("board-columns");
  if (!fresh) return;
  const before = new Map(cards().map((card) => [card.id, card.getAttribute("aria-label")]));
  const focused = document.activeElement?.id;
  columns.replaceWith(fresh);
  const changed = cards().filter((card) => before.get(card.id) !== card.getAttribute("aria-label"));
  for (const card of changed) card.classList.add("changed");
  const held = focused && document.getElementById(focused);
  settle(held || null);
  if (held && board.contains(held)) held.focus({ preventScroll: true });
}

// --- The line of the present moves every minute ---
function moveNow() {
  for (const line of board.querySelectorAll(".now")) {
    const row = Number([...line.classList].find((name) => /^r\d+$/.test(name)).slice(1));
    const last = Number(document.getElementById("board-columns").dataset.hours) * 12;
    line.classList.remove(`r${row}`);
    if (row < last) line.classList.add(`r${row + 1}`);
    else line.remove();
  }
}

if (board) {
  settle(null);
  board.addEventListener("keydown", (event) => {
    const card = event.target.closest("a.card");
    if (!card || !KEYS.includes(event.key) || event.altKey || event.ctrlKey) return;
    event.preventDefault();
    const target = neighbour(card, event.key);
    if (!target) return;
    settle(target);
    target.focus();
  });
  board.addEventListener("focusin", (event) => {
    const card = event.target.closest("a.card");
    if (card) settle(card);
  });
  setInterval(refresh, 10_000);
  setInterval(moveNow, 300_000);
  // The first hours of a day may be long past.
  const now = board.querySelector(".column .now");
  if (now) board.scrollTop = Math.max(0, now.offsetTop - board.clientHeight / 3);
}
