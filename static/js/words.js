/* Writing a message: merge fields go in where the cursor stands; fields that belong to one choice show only with it. */
(() => {
  "use strict";

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (!button) return;
    const into = document.getElementById(button.dataset.into);
    button.closest("[popover]")?.hidePopover();
    if (!into) return;
    into.focus();
    into.setRangeText(button.dataset.insert, into.selectionStart, into.selectionEnd, "end");
    into.dispatchEvent(new Event("input", { bubbles: true }));
  });

  /* A save that waited for the one before it goes out with the version that one led to. */
  document.addEventListener("htmx:before:request", (event) => {
    const { body } = event.detail.ctx.request;
    const version = document.querySelector('input[name="version"]');
    if (version && body?.has?.("version")) body.set("version", version.value);
  });

  function fit() {
    for (const part of document.querySelectorAll("[data-shown-for]")) {
      const [name, value] = part.dataset.shownFor.split("=");
      const form = part.closest("form");
      part.hidden = form?.elements[name]?.value !== value;
    }
  }
  document.addEventListener("change", fit);
  document.addEventListener("DOMContentLoaded", fit);
  document.addEventListener("htmx:after:process", fit);
})();
