// What every page gains from a script: nothing here is needed to get the work done.
const say = (text) => {
  const box = document.getElementById("announcements");
  if (box) box.textContent = text;
};

// --- Focus what needs attention ---
const summary = document.querySelector("#error-summary");
if (summary) summary.focus();

// --- One press, one request: a form that is under way is not sent twice ---
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (form.method === "post" && !form.hasAttribute("hx-post")) {
    form.dataset.sent = "yes";
    if (event.submitter) event.submitter.setAttribute("aria-busy", "true");
    startProgress();
  }
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll(".button[aria-busy]")) button.removeAttribute("aria-busy");
  stopProgress();
});

// --- Loading: the old content stays; a bar after 400 ms, words after 5 s ---
let bar = 0;
let words = 0;
function startProgress() {
  stopProgress();
  bar = setTimeout(() => { document.getElementById("progress").hidden = false; }, 400);
  words = setTimeout(() => say(document.body.dataset.slow || ""), 5000);
}
function stopProgress() {
  clearTimeout(bar);
  clearTimeout(words);
  const element = document.getElementById("progress");
  if (element) element.hidden = true;
}
document.addEventListener("htmx:beforeRequest", startProgress);
document.addEventListener("htmx:afterRequest", stopProgress);

// --- Failure: the content stays, with a sentence and a way to repeat ---
function showFailure(event) {
  const source = event.detail.elt;
  if (document.getElementById("failure")) return;
  const note = document.createElement("div");
  note.id = "failure";
  note.className = "note error";
  note.setAttribute("role", "alert");
  note.append(`${document.body.dataset.failed} `);
  const retry = document.createElement("button");
  retry.className = "button small";
  retry.type = "button";
  retry.textContent = document.body.dataset.retry;
  retry.addEventListener("click", () => {
    note.remove();
    if (source.requestSubmit) source.requestSubmit();
    else source.dispatchEvent(new CustomEvent("retry"));
  });
  note.append(retry);
  document.getElementById("main").prepend(note);
}
document.addEventListener("htmx:sendError", showFailure);
document.addEventListener("htmx:responseError", showFailure);
document.addEventListener("htmx:afterOnLoad", () => document.getElementById("failure")?.remove());

// --- Countdown of a hold: seconds are shown, told aloud at two minutes and at thirty seconds ---
for (const element of document.querySelectorAll("[data-until]")) {
  const end = Date.parse(element.dataset.until);
  // The server's clock counts, not this machine's.
  const skew = Date.parse(element.dataset.now) - Date.now();
  let before = Infinity;
  const tick = () => {
    const left = Math.max(0, Math.round((end - Date.now() - skew) / 1000));
    element.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    if (before > 120 && left <= 120 && before !== Infinity) say(element.dataset.two);
    if (before > 30 && left <= 30 && before !== Infinity) say(element.dataset.half);
    if (left === 0) {
      clearInterval(timer);
      say(element.dataset.over);
      for (const part of document.querySelectorAll("[data-while-held]")) part.hidden = true;
      for (const part of document.querySelectorAll("[data-when-over]")) part.hidden = false;
    }
    before = left;
  };
  const timer = setInterval(tick, 1000);
  tick();
}

// --- Shortcuts outside of text fields, by the place of the key, so that they work in every layout ---
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if ((event.ctrlKey || event.metaKey) && event.code === "Enter") {
    const form = event.target.closest("form") || document.querySelector("form[data-main]");
    if (form) form.requestSubmit();
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem("keys") === "off") return;
  const everything = document.querySelector("[data-search-all]");
  if (everything && (event.key === "/" || event.code === "Slash" && !event.shiftKey)) {
    event.preventDefault();
    everything.focus();
    return;
  }
  const target = document.querySelector(`[data-key="${CSS.escape(event.code)}"]`);
  if (target) {
    event.preventDefault();
    target.click();
  } else if (event.code === "KeyN" && !document.querySelector("[data-search]")) {
    window.location.assign("/patients/");
  } else if (event.code === "KeyN") {
    event.preventDefault();
    document.querySelector("[data-search]").focus();
  }
});

// --- Paper ---
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// --- More lines in a form: the spare ones are there from the start, shown one at a time ---
const spare = [...document.querySelectorAll("[data-spare]")];
const more = document.querySelector("[data-more]");
if (more && spare.length) {
  const empty = spare.filter((line) => ![...line.querySelectorAll("select")].some((field) => field.value));
  for (const line of empty) line.hidden = true;
  more.hidden = false;
  more.addEventListener("click", () => {
    const line = empty.shift();
    if (!line) return;
    line.hidden = false;
    line.querySelector("select").focus();
    more.hidden = empty.length === 0;
  });
}
