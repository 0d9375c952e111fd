// Keeps the page up to date without losing what is being typed, and shows times in the reader's own zone.
"use strict";

const EVERY_MS = 2000;
const zone = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = time.textContent;
    time.textContent = zone.format(new Date(time.dateTime));
  }
}

function toBottom(element) {
  if (element.hasAttribute("data-bottom")) element.scrollTop = element.scrollHeight;
}

const shown = new Map();

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || now.innerHTML === shown.get(old.id)) continue;
    shown.set(old.id, now.innerHTML);
    old.replaceChildren(...now.childNodes);
    localTimes(old);
    toBottom(old);
  }
}

for (const live of document.querySelectorAll("[data-live]")) {
  shown.set(live.id, live.innerHTML);
  toBottom(live);
}
localTimes(document);
const box = document.getElementById("body");
if (box) {
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      box.form.requestSubmit(box.form.querySelector(".send"));
    }
  });
}
setInterval(() => refresh().catch(() => {}), EVERY_MS);
