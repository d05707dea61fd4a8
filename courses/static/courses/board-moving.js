// Moving a card: dragged with a pointer, or carried with the arrow keys, or pressed onto a time that is free.
import { show } from "./board-dialog.js";
import { expectOwn, refresh } from "./board-refresh.js";
import { notice, post, say, toast } from "./board-talking.js";

const THRESHOLD = 6;
const LONG_PRESS = 350;
const EDGE = 48;
const wide = matchMedia("(min-width: 48em)");

let board;
let lock;
let snapButton;
// What is being moved: {pk, from, card, slots, version, column, slot, free, ghost, isDragged}
let move = null;
let press = null;
let hasSuppressedClick = false;

export const isMoving = () => move !== null;
const isLocked = () => lock?.getAttribute("aria-pressed") === "true";
const snap = () => (snapButton?.getAttribute("aria-pressed") === "true" ? 3 : 1);
const columns = () => [...board.querySelectorAll(".column[data-column]")].filter((one) => one.dataset.column !== "rest");
const frame = () => document.getElementById("board-columns").dataset;
const first = () => Number(frame().first) * 12;
const last = () => first() + Number(frame().hours) * 12;
const clock = (slot) => `${String(Math.floor(slot / 12)).padStart(2, "0")}:${String((slot % 12) * 5).padStart(2, "0")}`;
const nameOf = (column) => document.getElementById(`h-${column.dataset.column}`).firstChild.textContent.trim();

export function startMoving(element) {
  board = element;
  lock = document.getElementById("lock");
  snapButton = document.getElementById("snap");
  for (const button of [lock, snapButton]) keepToggle(button);
  if (!lock) return;
  board.addEventListener("pointerdown", onDown);
  board.addEventListener("dragstart", (event) => event.preventDefault());
  board.addEventListener("click", onClick, true);
  document.addEventListener("keydown", onKey, true);
  for (const link of document.querySelectorAll("[data-parked]")) {
    link.addEventListener("click", (event) => {
      if (!wide.matches) return;
      event.preventDefault();
      beginParked(link);
    });
  }
}

function keepToggle(button) {
  if (!button) return;
  const key = `board-${button.id}`;
  button.setAttribute("aria-pressed", String(localStorage.getItem(key) === "true"));
  button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    localStorage.setItem(key, String(pressed));
  });
}

// --- Beginning ---
function subject(card) {
  const place = card.closest("li").classList;
  const number = (letter) => Number([...place].find((name) => new RegExp(`^${letter}\\d+$`).test(name)).slice(1));
  return {
    pk: card.id.slice(1), from: card.id, card, slots: number("s"), version: card.dataset.version,
    column: card.closest(".column"), slot: first() + number("r") - 1, free: null, isDragged: false,
  };
}

/** Carry a card with the keys, its free times shown as buttons. */
export function beginMove(card) {
  if (!wide.matches) {
    location.assign(`${card.getAttribute("href")}move/`);
    return;
  }
  start(subject(card));
  card.focus({ preventScroll: true });
  say(board.dataset.sayMoving);
  findFree();
}

function beginParked(link) {
  const column = columns()[0];
  start({
    pk: link.dataset.parked, from: link.id, card: null, slots: Number(link.dataset.slots) / 5, version: "",
    column, slot: first(), free: null, isDragged: false,
  });
  link.focus();
  say(board.dataset.sayMoving);
  findFree();
}

function start(what) {
  finish();
  move = what;
  move.card?.classList.add("lifted");
  board.classList.add("moving");
  move.ghost = document.createElement("div");
  move.ghost.className = "ghost";
  draw();
}

async function findFree() {
  const asked = move;
  let answer;
  try {
    const query = new URL(board.dataset.here, location.href).search;
    answer = await (await fetch(`/sessions/${asked.pk}/places/${query}`)).json();
  } catch {
    return; // the server will say when the card is dropped
  }
  if (move !== asked) return;
  move.version = move.version || answer.version;
  move.slots = answer.slots;
  move.free = new Map(Object.entries(answer.columns).map(([key, slots]) => [key, new Set(slots)]));
  if (move.isDragged) return;
  let count = 0;
  for (const column of columns()) count += offer(column, move.free.get(column.dataset.column) || new Set());
  if (!count) say(board.dataset.sayNone);
  draw();
  tell();
}

function offer(column, slots) {
  const body = column.querySelector(".body");
  let free = first();
  let count = 0;
  for (const slot of [...slots].sort((a, b) => a - b)) {
    // Buttons must be large enough to press; the times between them are for the keys.
    if (slot < free || slot % 3) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "free-slot";
    button.tabIndex = -1;
    button.textContent = clock(slot);
    button.setAttribute("aria-label", `${clock(slot)}, ${nameOf(column)}`);
    put(button, slot, 3);
    button.addEventListener("click", () => {
      move.column = column;
      move.slot = slot;
      commit();
    });
    body.append(button);
    free = slot + 3;
    count += 1;
  }
  return count;
}

// --- The ghost names time and person ---
function put(element, slot, length) {
  element.style.setProperty("grid-row", `${slot - first() + 1} / span ${Math.max(1, Math.min(length, last() - slot))}`);
}

function draw() {
  const body = move.column.querySelector(".body");
  if (move.ghost.parentElement !== body) body.append(move.ghost);
  put(move.ghost, move.slot, move.slots);
  const known = move.free?.get(move.column.dataset.column);
  move.ghost.classList.toggle("busy", Boolean(move.free) && !known?.has(move.slot));
  move.ghost.textContent = `${clock(move.slot)} ${nameOf(move.column)}`;
}

function tell() {
  const known = move.free?.get(move.column.dataset.column);
  const state = !move.free ? "" : known?.has(move.slot) ? board.dataset.sayFree : board.dataset.sayBusy;
  say([clock(move.slot), nameOf(move.column), state].filter(Boolean).join(", "));
}

// --- Ending ---
function finish() {
  if (!move) return;
  move.ghost?.remove();
  move.card?.classList.remove("lifted");
  for (const button of board.querySelectorAll(".free-slot")) button.remove();
  board.classList.remove("moving");
  move = null;
}

function cancel() {
  const { card } = move;
  finish();
  press = null;
  card?.focus({ preventScroll: true });
  say(board.dataset.sayKept);
}

async function commit() {
  const { pk, from, column, slot, version, card } = move;
  const fields = { date: column.dataset.date, time: clock(slot), version: version || "", back: board.dataset.here };
  const isByRoom = board.dataset.here.includes("by=room");
  if (isByRoom) fields.room = column.dataset.room;
  else fields.therapist = column.dataset.therapist;
  const { ghost } = move;
  ghost.textContent = board.dataset.saySaving;
  ghost.classList.add("saving");
  card?.classList.add("saving");
  await drop(`/sessions/${pk}/drop/`, fields, from);
  card?.classList.remove("saving");
}

/** Ask the server for a move; it decides. `from` is the id of what gets the focus afterwards. */
export async function drop(url, fields, from) {
  say(board.dataset.saySaving);
  const answer = await post(url, fields);
  const isParked = move && !move.card;
  finish();
  if (answer.isOut) {
    notice(board.dataset.sayOut, { link: `${board.dataset.signIn}?next=${encodeURIComponent(location.pathname + location.search)}`, name: board.dataset.sayIn });
  } else if (answer.status === 200) {
    notice("");
    toast(answer.text);
    if (isParked) {
      location.reload();
      return;
    }
    if (from) expectOwn(from);
    await refresh();
  } else if (answer.status === 409 || answer.status === 422) {
    await refresh();
    show(answer.text, from);
    return;
  } else {
    notice(board.dataset.sayNotMoved);
  }
  document.getElementById(from)?.focus({ preventScroll: true });
}

// --- Keys: arrows, Enter, Escape ---
function onKey(event) {
  if (!move) return;
  if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    cancel();
    return;
  }
  if (move.isDragged || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("dialog")) return;
  if (event.key === "Tab") return;
  event.stopPropagation();
  if (event.target.closest(".free-slot, #snap, #lock")) return;
  event.preventDefault();
  const all = columns();
  const at = all.indexOf(move.column);
  if (event.key === "ArrowDown") move.slot = Math.min(step(1), last() - move.slots);
  else if (event.key === "ArrowUp") move.slot = Math.max(step(-1), first());
  else if (event.key === "ArrowLeft") move.column = all[Math.max(at - 1, 0)];
  else if (event.key === "ArrowRight") move.column = all[Math.min(at + 1, all.length - 1)];
  else if (event.key === "Enter") {
    commit();
    return;
  } else return;
  draw();
  move.ghost.scrollIntoView({ block: "nearest", inline: "nearest" });
  tell();
}

function step(sign) {
  const size = snap();
  const next = move.slot + sign * size;
  return sign > 0 ? Math.floor(next / size) * size : Math.ceil(next / size) * size;
}

// --- The pointer: a threshold for the mouse, a long press for the finger ---
function onDown(event) {
  const card = event.target.closest("a.card[data-version]");
  hasSuppressedClick = false;
  if (!card || event.button !== 0 || move || isLocked() || !wide.matches) return;
  press = { card, id: event.pointerId, x: event.clientX, y: event.clientY, isTouch: event.pointerType === "touch", timer: 0 };
  if (press.isTouch) press.timer = setTimeout(lift, LONG_PRESS);
  addEventListener("pointermove", onMove);
  addEventListener("pointerup", onUp);
  addEventListener("pointercancel", onCancel);
  // Once a card is lifted the finger moves it, not the page.
  addEventListener("touchmove", holdStill, { passive: false });
}

function holdStill(event) {
  if (move?.isDragged) event.preventDefault();
}

function lift() {
  const box = press.card.getBoundingClientRect();
  press.grip = press.y - box.top;
  start(subject(press.card));
  move.isDragged = true;
  measure();
  board.addEventListener("scroll", measure);
  addEventListener("resize", measure);
  findFree();
  requestAnimationFrame(scrollAtEdge);
}

function measure() {
  if (!press) return;
  press.boxes = columns().map((column) => [column, column.querySelector(".body").getBoundingClientRect()]);
  press.frame = board.getBoundingClientRect();
}

function onMove(event) {
  if (!press || event.pointerId !== press.id) return;
  const far = Math.hypot(event.clientX - press.x, event.clientY - press.y) >= THRESHOLD;
  if (!move) {
    if (!far) return;
    if (press.isTouch) {
      release(); // a finger that moves at once scrolls
      return;
    }
    lift();
  }
  press.at = [event.clientX, event.clientY];
  follow();
}

function follow() {
  if (!press?.at || !move) return;
  const [x, y] = press.at;
  const found = press.boxes.find(([, box]) => x >= box.left && x < box.right);
  if (found) {
    const [column, box] = found;
    const height = box.height / (last() - first());
    const size = snap();
    const slot = first() + Math.round((y - press.grip - box.top) / height / size) * size;
    move.column = column;
    move.slot = Math.max(first(), Math.min(slot, last() - move.slots));
  }
  draw();
}

function scrollAtEdge() {
  if (!press || !move?.isDragged) return;
  if (press.at) {
    const [x, y] = press.at;
    const { left, right, top, bottom } = press.frame;
    const speed = (low, high, value) => (value < low + EDGE ? -8 : value > high - EDGE ? 8 : 0);
    const [dx, dy] = [speed(left, right, x), speed(top, bottom, y)];
    if (dx || dy) {
      board.scrollBy(dx, dy);
      measure();
      follow();
    }
  }
  requestAnimationFrame(scrollAtEdge);
}

function release() {
  clearTimeout(press?.timer);
  removeEventListener("pointermove", onMove);
  removeEventListener("pointerup", onUp);
  removeEventListener("pointercancel", onCancel);
  removeEventListener("touchmove", holdStill);
  board.removeEventListener("scroll", measure);
  removeEventListener("resize", measure);
  press = null;
}

function onUp() {
  const wasDragged = Boolean(move?.isDragged);
  const isElsewhere = wasDragged && !(move.column === move.card.closest(".column") && move.slot === subject(move.card).slot);
  release();
  if (!wasDragged) return;
  hasSuppressedClick = true;
  if (isElsewhere) commit();
  else finish();
}

function onCancel() {
  release();
  if (move?.isDragged) finish();
}

function onClick(event) {
  if (!hasSuppressedClick) return;
  hasSuppressedClick = false;
  event.preventDefault();
  event.stopPropagation();
}
