// The board's refresh: every ten seconds while the page is seen, and only what changed is put in place.
import { isMoving } from "./board-moving.js";
import { notice, say } from "./board-talking.js";

const EVERY = 10_000;
// Cards that this page moved itself are not told as news.
const own = new Set();
let board;
let under = false;
let isLost = false;

export function startRefresh(element) {
  board = element;
  setInterval(() => refresh(), EVERY);
  document.addEventListener("visibilitychange", () => refresh());
}

export const expectOwn = (key) => own.add(key);

export async function refresh() {
  if (under || isMoving() || document.visibilityState !== "visible") return;
  under = true;
  try {
    await ask();
  } finally {
    under = false;
  }
}

async function ask() {
  const columns = document.getElementById("board-columns");
  let answer;
  try {
    answer = await fetch(`${board.dataset.here}&seen=${columns.dataset.digest}`, { headers: { "HX-Request": "true" } });
  } catch {
    lose();
    return;
  }
  if (answer.redirected || answer.status === 403) {
    notice(board.dataset.sayOut, { link: `${board.dataset.signIn}?next=${encodeURIComponent(location.pathname + location.search)}`, name: board.dataset.sayIn });
    return;
  }
  if (answer.status >= 400) {
    lose();
    return;
  }
  if (isLost) {
    isLost = false;
    notice("");
    say(board.dataset.sayBack);
  }
  if (answer.status !== 200 || isMoving()) return;
  apply(new DOMParser().parseFromString(await answer.text(), "text/html"));
}

function lose() {
  if (!isLost) notice(board.dataset.sayLost);
  isLost = true;
}

// --- Scroll stays, for the board's own container is never replaced; focus stays with the card, wherever it went ---
function apply(fresh) {
  const before = new Map([...board.querySelectorAll("a.card")].map((card) => [card.id, card.getAttribute("aria-label")]));
  const focused = document.activeElement?.id;
  const changes = fresh.getElementById("board-changes");
  const whole = fresh.getElementById("board-columns");
  if (changes) patch(changes);
  else if (whole) document.getElementById("board-columns").replaceWith(whole);
  else return;
  const held = focused && document.getElementById(focused);
  if (held && held !== document.activeElement) held.focus({ preventScroll: true });
  tell(before);
  board.dispatchEvent(new CustomEvent("board:changed"));
}

function patch(changes) {
  for (const one of changes.querySelectorAll("[data-gone]")) document.getElementById(`p-${one.dataset.gone}`)?.remove();
  for (const section of changes.querySelectorAll("section")) document.getElementById(section.id)?.replaceWith(section);
  for (const item of changes.querySelectorAll("li[data-into]")) {
    const { into, after } = item.dataset;
    const place = document.getElementById(`p-${after}`);
    item.removeAttribute("data-into");
    item.removeAttribute("data-after");
    document.getElementById(item.id)?.remove();
    if (after && place?.isConnected) place.after(item);
    else document.querySelector(`#c-${CSS.escape(into)} ol`)?.prepend(item);
  }
  // A card that went into a column sent whole may still stand where it was.
  const seen = new Set();
  for (const section of changes.querySelectorAll("section li")) seen.add(section.id);
  for (const id of seen) [...document.querySelectorAll(`#${CSS.escape(id)}`)].slice(1).forEach((copy) => copy.remove());
  document.getElementById("board-columns").dataset.digest = changes.dataset.digest;
}

function tell(before) {
  const now = [...board.querySelectorAll("a.card")];
  const changed = now.filter((card) => before.get(card.id) !== card.getAttribute("aria-label"));
  for (const card of changed) card.classList.add("changed");
  const ids = new Set(now.map((card) => card.id));
  const gone = [...before.keys()].filter((id) => !ids.has(id));
  const count = [...changed.map((card) => card.id), ...gone].filter((id) => !own.delete(id)).length;
  if (count === 1) say(board.dataset.sayChangedOne);
  else if (count) say(board.dataset.sayChanged.replace("{n}", String(count)));
}
