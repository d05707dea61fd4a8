// What the board says: aloud, in a line above it, in a toast; and how it asks the server for a change.
const announcements = () => document.getElementById("announcements");

export function say(text) {
  const box = announcements();
  // The same sentence twice is news too.
  box.textContent = box.textContent === text ? `${text}\u00a0` : text;
}

/** A line that stays until it is replaced; "" takes it away. It lies over the page, so that nothing shifts. */
export function notice(text, way) {
  document.getElementById("board-notice")?.remove();
  if (!text) return;
  const note = document.createElement("div");
  note.id = "board-notice";
  note.className = "note error";
  note.setAttribute("role", "alert");
  note.append(text);
  if (way) {
    const link = document.createElement("a");
    link.href = way.link;
    link.textContent = way.name;
    note.append(" ", link);
  }
  document.getElementById("main").append(note);
}

/** Answers `{status, text, isOut}`; status 0 where no answer came. */
export async function post(url, fields) {
  const body = new URLSearchParams(fields);
  body.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
  try {
    const answer = await fetch(url, { method: "POST", body, headers: { "HX-Request": "true" } });
    return { status: answer.status, text: await answer.text(), isOut: answer.redirected };
  } catch {
    return { status: 0, text: "", isOut: false };
  }
}

let fading = 0;

/** The toast stays until it is dismissed or replaced; what it can undo, it can for three minutes. */
export function toast(html) {
  const box = document.getElementById("board-toast");
  const parsed = new DOMParser().parseFromString(html, "text/html");
  box.replaceChildren(...parsed.body.childNodes);
  box.hidden = false;
  const undo = box.querySelector("[data-undo]");
  allowUndo(undo ? Number(undo.dataset.left) : 0);
}

export function allowUndo(seconds) {
  clearTimeout(fading);
  const button = document.getElementById("undo");
  if (!button) return;
  button.disabled = seconds <= 0;
  if (seconds > 0) {
    fading = setTimeout(() => {
      button.disabled = true;
      document.querySelector("#board-toast [data-undo]")?.remove();
    }, seconds * 1000);
  }
}
