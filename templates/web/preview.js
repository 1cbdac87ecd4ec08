// Shows the preview of the keywords of a form while they are written. The form works the same without it.
"use strict";

(() => {
  const PAUSE = 800;
  const AGAIN = 20_000;
  const LONGEST = 6_000;
  const form = document.querySelector("form[data-preview]");
  const shown = document.getElementById("preview");
  const said = document.getElementById("preview-said");
  if (!form || !shown) return;

  const page = Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");
  let before = null;
  let timer = 0;
  let asking = new AbortController();

  function wanted() {
    const fields = new URLSearchParams();
    for (const field of form.querySelectorAll("[data-keyword]")) {
      for (const line of field.value.split("\n")) {
        if (line.trim()) fields.append("k", line.trim());
      }
    }
    return fields;
  }

  function show(html) {
    const piece = new DOMParser().parseFromString(html, "text/html").getElementById("preview");
    if (!piece) return;
    const isWaiting = piece.querySelector("[data-waiting]") !== null;
    shown.replaceChildren(...piece.childNodes);
    const sentence = document.getElementById("preview-sentence")?.textContent ?? "";
    if (said && said.textContent !== sentence) said.textContent = sentence;
    if (isWaiting) later(AGAIN, true);
  }

  async function ask(isAgain) {
    const fields = wanted();
    const now = fields.toString();
    if (now.length > LONGEST || (now === before && !isAgain)) return;
    before = now;
    fields.append("page", page);
    asking.abort();
    asking = new AbortController();
    try {
      const answer = await fetch(`${form.dataset.preview}?${fields}`, {
        signal: asking.signal,
        credentials: "omit",
        referrerPolicy: "no-referrer",
      });
      if (answer.ok) show(await answer.text());
      else if (answer.status === 429 || answer.status === 503) later(AGAIN, true);
    } catch {
      before = null; // aborted, or no network: the next letter asks again
    }
  }

  function later(pause, isAgain) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (document.visibilityState === "visible") ask(isAgain);
      else later(AGAIN, true);
    }, pause);
  }

  shown.addEventListener("click", (event) => {
    const button = event.target.closest("[data-instead]");
    if (!button) return;
    event.preventDefault();
    for (const field of form.querySelectorAll("[data-keyword]")) {
      if (field.value.trim().replace(/\s+/g, " ") === button.dataset.of) {
        field.value = button.dataset.instead;
        field.focus();
      }
    }
    later(0, false);
  });

  form.addEventListener("input", (event) => {
    if (event.target.matches("[data-keyword]")) later(PAUSE, false);
  });
})();
