// Fetches the page again and puts the new parts in place. Without it the page reloads itself.
"use strict";

const PARTS = ["head", "main", "foot"];
let failures = 0;

function say(text) {
  const line = document.getElementById("stale");
  if (line && line.textContent !== text) line.textContent = text;
}

function take(fresh) {
  for (const id of PARTS) {
    const before = document.getElementById(id);
    const after = fresh.getElementById(id);
    if (!before || !after || before.innerHTML === after.innerHTML) continue;
    // Someone who tabs through the links or has scrolled a table keeps their place.
    const active = document.activeElement;
    const link = before.contains(active) && active.getAttribute("href");
    const offsets = [...before.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
    before.replaceWith(document.adoptNode(after));
    after.querySelectorAll(".scroll").forEach((box, index) => {
      box.scrollLeft = offsets[index] || 0;
    });
    if (link) after.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
  }
  document.getElementById("failure")?.remove();
  const failure = fresh.getElementById("failure");
  if (failure) document.getElementById("main").before(document.adoptNode(failure));
}

async function refresh() {
  try {
    const answer = await fetch("/", { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.statusText);
    take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    failures = 0;
    say("");
  } catch {
    failures += 1;
    if (failures > 1) say("Farthing does not answer: what is shown here may be old.");
  }
}

async function loop() {
  if (!document.hidden) await refresh();
  const seconds = Number(document.getElementById("main")?.dataset.refreshS) || 10;
  setTimeout(loop, Math.min(seconds * 2 ** Math.min(failures, 4), 60) * 1000);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
setTimeout(loop, 1000);
