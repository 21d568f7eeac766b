// Keeps a page up to date: fetches the parts that change, and touches only what has changed.
"use strict";
const EVERY = 2000; // ms between two requests; none while nobody sees the page
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

// Makes a node equal to another: what is equal stays, with its focus, its scrolling and its images.
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh.cloneNode(true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) {
      old.data = fresh.data;
      flash(old.parentElement.closest("[data-flash]"));
    }
    return;
  }
  if (old.hasAttribute("data-keep")) return; // a script has filled it
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) { // what a reader has opened stays open
    if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) {
      old.removeAttribute(name);
    }
  }
  const named = new Map([...old.children].filter((n) => n.id).map((n) => [n.id, n]));
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    let match = next.id ? named.get(next.id) : at;
    if (match && !next.id && match.id) match = null;
    if (!match) {
      old.insertBefore(next.cloneNode(true), at);
    } else {
      if (match === at) at = at.nextSibling;
      else old.insertBefore(match, at);
      morph(match, next);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function flash(place) {
  if (place && !calm.matches) {
    place.animate([{ backgroundColor: "var(--flash)" }, { backgroundColor: "transparent" }], 1500);
  }
}

const live = document.querySelector("[data-live]");
const gone = document.getElementById("gone");
let version = "", tag = "", seen = new Date();

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(live.dataset.live, { headers: tag ? { "If-None-Match": tag } : {} });
      if (answer.status === 200) {
        const fresh = live.cloneNode(false);
        fresh.innerHTML = await answer.text();
        if (answer.headers.get("ETag") !== tag) morph(live, fresh);
        tag = answer.headers.get("ETag");
      }
      if (answer.status >= 500) throw new Error(await answer.text());
      seen = new Date();
      gone.hidden = true;
      drawFigures();
    } catch {
      document.getElementById("since").textContent = seen.toLocaleTimeString();
      gone.hidden = false;
    }
  }
  setTimeout(refresh, EVERY);
}

let isDrawing = false;

// Many figures take seconds to compute: the rest of the page goes on.
async function drawFigures() {
  const now = live.querySelector("[data-version]")?.dataset.version;
  const charts = live.querySelector("[data-figures]");
  if (!charts || !now || now === version || isDrawing) return;
  isDrawing = true;
  try {
    const found = await (await fetch(charts.dataset.figures)).json();
    version = now;
    await showCharts(charts, found);
  } catch { // the server is away, which `refresh` says
  } finally {
    isDrawing = false;
  }
}

if (live) {
  drawFigures();
  setTimeout(refresh, EVERY);
}

const filled = new WeakSet();

document.addEventListener("toggle", async (event) => {
  const from = event.target.dataset?.fill;
  if (!from || !event.target.open || filled.has(event.target)) return;
  filled.add(event.target);
  const answer = await fetch(from);
  event.target.querySelector("[data-keep]").innerHTML = await answer.text();
}, true);

document.addEventListener("click", async (event) => {
  const text = event.target.dataset?.copy;
  if (text) {
    await navigator.clipboard.writeText(text);
    event.target.textContent = "copied";
  }
});
