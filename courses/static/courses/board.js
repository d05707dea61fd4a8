// The board: one tab stop and arrows, the line of the present, its own keys; refresh and moving are modules of their own.
import { startDialog } from "./board-dialog.js";
import { startMoving, isMoving, beginMove } from "./board-moving.js";
import { startRefresh } from "./board-refresh.js";

const board = document.getElementById("board");
const cards = () => [...board.querySelectorAll("a.card")];

// --- One tab stop: arrows go from card to card ---
function settle(current) {
  const all = cards();
  const stop = current && all.includes(current) ? current : all.find((card) => card.tabIndex === 0) || all[0];
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

function onKey(event) {
  if (isMoving() || event.altKey || event.ctrlKey || event.metaKey) return;
  const card = event.target.closest("a.card");
  if (card && KEYS.includes(event.key)) {
    event.preventDefault();
    const target = neighbour(card, event.key);
    if (!target) return;
    settle(target);
    target.focus();
  } else if (card && card.dataset.version && event.code === "KeyM" && keysAreOn()) {
    event.preventDefault();
    event.stopPropagation();
    beginMove(card);
  }
}

// --- Keys of one letter can be switched off ---
const keysAreOn = () => localStorage.getItem("keys") !== "off";

function startHelp() {
  const box = document.getElementById("keys-on");
  const help = document.getElementById("board-help");
  box.checked = keysAreOn();
  box.addEventListener("change", () => localStorage.setItem("keys", box.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    if (!(event.key === "?" || (event.code === "Slash" && event.shiftKey)) || event.target.closest("input, textarea, select") || !keysAreOn()) return;
    event.preventDefault();
    help.open = true;
    help.querySelector("summary").focus();
  });
}

// --- The line of the present moves every minute; the server's clock counts, not this machine's ---
function startNow() {
  const [, hours, minutes] = /T(\d\d):(\d\d)/.exec(board.dataset.now);
  const begun = performance.now();
  const move = () => {
    const minute = Number(hours) * 60 + Number(minutes) + (performance.now() - begun) / 60_000;
    const columns = document.getElementById("board-columns");
    const row = Math.floor(minute / 5) - Number(columns.dataset.first) * 12;
    for (const line of columns.querySelectorAll(".now")) {
      line.hidden = row < 0 || row >= Number(columns.dataset.hours) * 12;
      line.style.setProperty("grid-row-start", String(row + 1));
      const step = line.closest(".body, .scale").clientHeight / (Number(columns.dataset.hours) * 12);
      line.style.setProperty("transform", `translateY(${((minute % 5) / 5) * step}px)`);
    }
    const label = columns.querySelector(".now-time");
    if (label) label.textContent = `${String(Math.floor(minute / 60) % 24).padStart(2, "0")}:${String(Math.floor(minute % 60)).padStart(2, "0")}`;
  };
  move();
  setInterval(move, 60_000);
  board.addEventListener("board:changed", move);
}

// --- A board that is opened again is where it was; one opened anew shows the present ---
function startScroll() {
  const key = `scroll ${location.search}`;
  const kept = sessionStorage.getItem(key);
  const now = board.querySelector(".column .now");
  if (kept) [board.scrollLeft, board.scrollTop] = kept.split(",").map(Number);
  else if (now) board.scrollTop = Math.max(0, now.offsetTop - board.clientHeight / 3);
  addEventListener("pagehide", () => sessionStorage.setItem(key, `${board.scrollLeft},${board.scrollTop}`));
}

if (board) {
  settle(null);
  board.addEventListener("keydown", onKey);
  board.addEventListener("focusin", (event) => {
    const card = event.target.closest("a.card");
    if (card) settle(card);
  });
  board.addEventListener("board:changed", () => settle(document.activeElement));
  startHelp();
  startScroll();
  startNow();
  startDialog(board);
  startMoving(board);
  startRefresh(board);
}
