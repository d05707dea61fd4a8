// The dialog of the board: a session's own words, or why a move was refused and where it could go instead.
import { beginMove, drop } from "./board-moving.js";
import { allowUndo, post, say, toast, notice } from "./board-talking.js";
import { refresh } from "./board-refresh.js";

let board;
let dialog;
let opener = null;

export function startDialog(element) {
  board = element;
  dialog = document.getElementById("board-dialog");
  board.addEventListener("click", onClick);
  dialog.addEventListener("click", onPress);
  dialog.addEventListener("submit", onSubmit);
  dialog.addEventListener("close", () => document.getElementById(opener)?.focus({ preventScroll: true }));
  const bar = document.getElementById("board-toast");
  bar.addEventListener("submit", onSubmit);
  bar.addEventListener("click", (event) => {
    if (event.target.closest("[data-dismiss]")) bar.hidden = true;
  });
  const undo = document.getElementById("undo-form");
  undo?.addEventListener("submit", onSubmit);
  const left = document.getElementById("undo")?.dataset.left;
  if (left) allowUndo(Number(left));
}

async function onClick(event) {
  const card = event.target.closest("a.card");
  if (!card || !card.id.startsWith("s") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.defaultPrevented) return;
  event.preventDefault();
  try {
    const answer = await fetch(`${card.getAttribute("href")}card/?back=${encodeURIComponent(board.dataset.here)}`, { headers: { "HX-Request": "true" } });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    show(await answer.text(), card.id);
  } catch {
    location.assign(card.href);
  }
}

/** Show a piece of a page that the server sent; focus goes to its heading, and back when it is closed. */
export function show(html, from) {
  opener = from;
  const parsed = new DOMParser().parseFromString(html, "text/html");
  document.getElementById("board-dialog-body").replaceChildren(...parsed.body.childNodes);
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("h2")?.focus();
}

function onPress(event) {
  const button = event.target.closest("[data-move]");
  if (event.target === dialog) dialog.close();
  if (!button) return;
  const card = document.getElementById(`s${button.dataset.move}`);
  dialog.close();
  if (card) beginMove(card);
}

async function onSubmit(event) {
  const form = event.target;
  if (form.method === "dialog") return;
  const isUndo = form.action.endsWith("/undo/");
  if (!isUndo && !form.hasAttribute("data-drop")) return;
  event.preventDefault();
  event.stopPropagation();
  if (!isUndo) {
    const from = opener;
    dialog.close();
    await drop(form.action, new FormData(form), from);
    return;
  }
  say(board.dataset.saySaving);
  settleUndo(await post(form.action, new FormData(form)));
}

function settleUndo(answer) {
  if (answer.isOut) notice(board.dataset.sayOut, { link: board.dataset.signIn, name: board.dataset.sayIn });
  else if (answer.status === 200) {
    toast(answer.text);
    refresh();
  } else if (answer.status === 409 || answer.status === 422) show(answer.text, "undo");
  else notice(board.dataset.sayNotMoved);
}
