/* What the frame needs: dialogs, menus, toasts, the key for search. No markup is built from text, nothing is evaluated. */
(() => {
  "use strict";

  const within = (root, selector) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];

  /* Dialogs: data-opens="<id>" opens, data-closes closes, data-open opens as soon as it is in the page. */
  function openDialog(dialog) {
    if (dialog && !dialog.open) dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      event.preventDefault();
      opener.closest("[popover]")?.hidePopover();
      openDialog(document.getElementById(opener.dataset.opens));
      return;
    }
    if (event.target.closest("[data-closes]")) return event.target.closest("dialog")?.close();
    if (event.target.matches("dialog.dialog")) return event.target.close(); // the backdrop
    if (event.target.closest("[data-dismiss]")) return event.target.closest("[data-toast]")?.remove();
    const group = event.target.closest(".rail .group > button");
    if (group) return showGroup(group.parentElement, group.getAttribute("aria-expanded") !== "true");
    if (narrow.matches) for (const open of document.querySelectorAll('.rail .group[data-open="yes"]')) showGroup(open, false);
  });

  /* The rail's sub-list: in the flow when there is room, a fly-out when there are only icons. */
  const narrow = window.matchMedia("(width < 1100px)");

  function showGroup(group, open) {
    group.dataset.open = open ? "yes" : "no";
    group.querySelector("button").setAttribute("aria-expanded", String(open));
  }

  function fitRail() {
    for (const group of document.querySelectorAll(".rail .group")) {
      const here = Boolean(group.querySelector("[aria-current]"));
      group.dataset.open = here ? "page" : "no";
      group.querySelector("button").setAttribute("aria-expanded", String(here && !narrow.matches));
    }
  }
  narrow.addEventListener("change", fitRail);

  /* Menus are popovers: the browser opens, closes and keeps them on top; we put them beside their button. */
  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (!menu.matches?.(".menu[popover]")) return;
    if (event.newState !== "open") return forget(menu);
    const button = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
    if (!button) return;
    const at = button.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = menu;
    const left = at.left + width > window.innerWidth - 12 ? at.right - width : at.left;
    const below = at.bottom + 4;
    const room = window.innerHeight - 12 - height;
    const above = at.top - 4 - height;
    /* Where it fits neither below nor above, it lies over its button rather than leave the window. */
    const top = below <= room ? below : above > 0 ? above : Math.max(12, room);
    menu.style.left = `${Math.max(12, left)}px`;
    menu.style.top = `${top}px`;
    menu.querySelector("input, a, button")?.focus({ preventScroll: true });
  }, true);

  /* A menu that is opened again begins with everything in it. */
  function forget(menu) {
    const search = menu.querySelector("[data-narrow]");
    if (!search?.value || search.hasAttribute("hx-get")) return;
    search.value = "";
    narrowTo(search);
  }

  /* A menu narrowed while one types: <input data-narrow> hides what is not called that, or, where nothing is, the [data-word]
     that do not contain it; [data-none] shows where none is left. Enter takes the first. */
  const narrowed = (input) => [...input.closest(".menu").querySelectorAll("[data-word]")];

  function narrowTo(input) {
    const typed = input.value.trim().toLowerCase();
    const items = narrowed(input);
    const called = items.filter((item) => item.textContent.toLowerCase().includes(typed));
    const found = new Set(called.length ? called : items.filter((item) => item.dataset.word.includes(typed)));
    for (const item of items) item.hidden = !found.has(item);
    for (const none of input.closest(".menu").querySelectorAll("[data-none]")) none.hidden = found.size > 0;
    for (const heading of input.closest(".menu").querySelectorAll(".heading")) heading.hidden = typed !== "";
  }

  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-narrow]")) return;
    // Searching among choices changes nothing in the form around them; one that asks the server stops there by itself.
    if (!event.target.hasAttribute("hx-get")) event.stopPropagation();
    narrowTo(event.target);
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches?.("[data-narrow]")) return;
    event.preventDefault();
    narrowed(event.target).find((item) => !item.hidden)?.click();
  });

  document.addEventListener("scroll", (event) => {
    if (event.target.matches?.(".menu")) return;
    for (const menu of document.querySelectorAll(".menu:popover-open")) menu.hidePopover();
  }, { capture: true, passive: true });

  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest?.(".menu:popover-open");
    if (menu && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const items = [...menu.querySelectorAll("a, button")].filter((item) => !item.hidden);
      const next = items.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      items.at(next % items.length)?.focus();
      return event.preventDefault();
    }
    if (event.key === "Escape") {
      for (const group of narrow.matches ? document.querySelectorAll('.rail .group[data-open="yes"]') : []) showGroup(group, false);
      const found = document.getElementById("found");
      if (found && event.target.closest?.(".search")) found.replaceChildren();
    }
    /* "/" goes to the search from anywhere but a place where one types. */
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable], trix-editor, dialog[open]")) return;
    const search = document.querySelector("[data-find]");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  document.addEventListener("focusin", (event) => {
    const found = document.getElementById("found");
    if (found && !event.target.closest(".search")) found.replaceChildren();
  });

  /* A form is sent once, however often its button is pressed. htmx forms are watched by htmx itself. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented || within(form, "[hx-post], [hx-put], [hx-delete]").includes(form)) return;
    if (form.classList.contains("sending")) return event.preventDefault();
    form.classList.add("sending");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form.sending")) form.classList.remove("sending");
  });

  /* Toasts leave after a while unless they tell of a failure or one is reading them. */
  function watchToast(toast) {
    if (toast.dataset.watched) return;
    toast.dataset.watched = "yes";
    if (toast.classList.contains("error")) return;
    let timer = setTimeout(() => toast.remove(), 7000);
    toast.addEventListener("pointerenter", () => clearTimeout(timer));
    toast.addEventListener("pointerleave", () => { timer = setTimeout(() => toast.remove(), 3000); });
  }

  /* HX-Trigger {"toast": {"toasts": [{text, tone}]}}: for answers without a body. */
  document.addEventListener("toast", (event) => {
    for (const { text, tone } of event.detail.toasts ?? []) showToast(text, tone);
  });

  function showToast(text, tone = "") {
    const place = document.getElementById("toasts");
    if (!place) return;
    const toast = document.createElement("div");
    toast.className = `toast ${tone}`;
    toast.dataset.toast = "";
    toast.setAttribute("role", "status");
    const words = document.createElement("div");
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "button quiet small";
    close.dataset.dismiss = "";
    close.textContent = "Dismiss";
    toast.append(words, close);
    place.append(toast);
    watchToast(toast);
  }

  /* htmx swaps whatever comes back, also error pages and the sign-in page of an ended session: not into a table. */
  document.addEventListener("htmx:before:swap", (event) => {
    const { response, sourceElement } = event.detail.ctx;
    if (!response) return;
    if (response.raw.redirected && new URL(response.raw.url).pathname.startsWith("/accounts/login/")) {
      event.preventDefault();
      return window.location.reload();
    }
    const { status } = response;
    if (status < 400 || status === 409 || status === 422) return;
    event.preventDefault();
    if (sourceElement?.getAttribute("hx-trigger")?.startsWith("every")) return;
    const words = {
      403: "Your role does not include this. Nothing was changed.",
      404: "This is gone or was moved. Load the page again.",
    };
    showToast(words[status] ?? "That did not work and nothing was saved. Please try again.", "error");
  });
  document.addEventListener("htmx:error", () => {
    if (!navigator.onLine) showToast("You are offline. What you type stays here until the connection is back.", "error");
  });

  const controls = "button, select, textarea, input:not([type=hidden])";

  function ready(root) {
    within(root, "dialog[data-open]").forEach(openDialog);
    within(root, "[data-toast]").forEach(watchToast);
    /* Where the keyboard goes on after a swap: there, or at the first control in it. */
    for (const here of within(root, "[data-here]")) {
      const first = here.matches("button, input") ? here : here.querySelector("input:checked") ?? here.querySelector(controls);
      first?.focus();
    }
  }
  document.addEventListener("DOMContentLoaded", () => { fitRail(); ready(document); });
  document.addEventListener("htmx:after:process", (event) => ready(event.target instanceof Element ? event.target : document));
})();
