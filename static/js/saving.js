/* "Saved 2 s ago": forms with data-autosave say whether what one sees is kept. Saving itself is htmx's. */
(() => {
  "use strict";

  const indicators = () => document.querySelectorAll(".saved");
  const formOf = (event) => event.target.closest?.("form[data-autosave]");

  function ago(moment) {
    const seconds = Math.max(0, Math.round((Date.now() - moment) / 1000));
    if (seconds < 60) return `${seconds} s ago`;
    if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
    return new Date(moment).toLocaleTimeString("en-US", { hour: "numeric", minute: "2-digit" });
  }

  function set(state, words, at = "") {
    for (const indicator of indicators()) {
      indicator.dataset.state = state;
      indicator.dataset.at = at;
      if (indicator.textContent !== words) indicator.textContent = words;
    }
  }

  document.addEventListener("input", (event) => { if (formOf(event)) set("unsaved", "Not saved yet"); });
  document.addEventListener("submit", (event) => { if (formOf(event)) set("saving", "Saving …"); });
  document.addEventListener("htmx:before:request", (event) => { if (formOf(event)) set("saving", "Saving …"); });
  document.addEventListener("htmx:after:request", (event) => {
    if (!formOf(event)) return;
    const response = event.detail.ctx?.response;
    const status = response?.status ?? response?.raw?.status ?? 0;
    if (status >= 200 && status < 400) set("saved", "Saved just now", String(Date.now()));
    else set("failed", status === 422 ? "Not saved: see below" : "Not saved: please try again");
  });
  document.addEventListener("htmx:error", (event) => { if (formOf(event)) set("failed", "Not saved: no connection"); });

  setInterval(() => {
    for (const indicator of indicators()) {
      if (indicator.dataset.state === "saved" && indicator.dataset.at) indicator.textContent = `Saved ${ago(Number(indicator.dataset.at))}`;
    }
  }, 2000);

  window.addEventListener("beforeunload", (event) => {
    if ([...indicators()].some((indicator) => indicator.dataset.state === "unsaved" || indicator.dataset.state === "failed")) event.preventDefault();
  });
})();
