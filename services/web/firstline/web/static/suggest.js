// Shows pages of the documentation that may answer a request while it is being written (clause 1.2).
// The form does without it: "Look for an answer first" asks the same.

const PAUSE_MS = 700;
const LEAST_CHARACTERS = 12;
const MOST_CHARACTERS = 2000;

const box = document.getElementById("suggested");
const form = box.closest("form");
const list = box.querySelector("ul");
const told = box.querySelector("[role=status]");

let waiting;
let asked = "";
let call;

form.addEventListener("input", (event) => {
  if (event.target.closest("#suggested")) return;
  clearTimeout(waiting);
  waiting = setTimeout(ask, PAUSE_MS);
});

async function ask() {
  const words = `${form.elements.subject.value} ${form.elements.body.value}`.trim().slice(0, MOST_CHARACTERS);
  const query = new URLSearchParams({ q: words, topic: form.elements.topic?.value ?? "" }).toString();
  if (query === asked) return;
  asked = query;
  call?.abort();
  call = new AbortController();
  if (words.length < LEAST_CHARACTERS) return show([]);
  try {
    const answer = await fetch(`${box.dataset.source}?${query}`, { signal: call.signal });
    if (answer.ok) show((await answer.json()).pages);
  } catch {
    // Out of reach, or something newer was asked: what is shown stays, and the form can be sent all the same.
  }
}

function show(pages) {
  const read = [...list.querySelectorAll("input:checked")].map((tick) => tick.closest("li"));
  const known = new Set([...read.map((row) => row.querySelector("a").href), ...checkedBefore()]);
  const fresh = pages.filter((page) => !known.has(new URL(page.url).href));
  list.replaceChildren(...read, ...fresh.map(row));
  box.hidden = list.children.length === 0;
  told.textContent = fresh.length ? `${fresh.length} ${fresh.length === 1 ? "page" : "pages"} may answer it.` : "";
}

function checkedBefore() {
  return [...document.querySelectorAll("#advice a, #pages-read a")].map((link) => link.href);
}

function row(page) {
  const link = Object.assign(document.createElement("a"), {
    href: page.url,
    textContent: page.title,
    target: "_blank",
    rel: "noopener noreferrer nofollow",
  });
  const tick = Object.assign(document.createElement("input"), { type: "checkbox", name: "read", value: page.url });
  const label = Object.assign(document.createElement("label"), { className: "kept" });
  label.append(tick, " I have read it, and it doesn't answer my question");
  const item = document.createElement("li");
  item.append(link, label);
  return item;
}
