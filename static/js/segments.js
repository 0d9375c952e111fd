/* "132 characters · 1 segment · 1 credit each" under a text being typed. The same rules as messaging/segments.py. */
(() => {
  "use strict";

  const BASIC = new Set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà");
  const EXTENDED = new Set("\f^{}\\[~]|€");
  const LONG = 145;
  const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

  function count(text, { tollFree = false } = {}) {
    const gsm = [...text].every((character) => BASIC.has(character) || EXTENDED.has(character));
    const [one, each] = gsm ? [160, tollFree ? 152 : 153] : [70, tollFree ? 66 : 67];
    const sizes = gsm
      ? [...text].map((character) => (EXTENDED.has(character) ? 2 : 1))
      : [...graphemes.segment(text)].map((part) => part.segment.length);
    const units = sizes.reduce((sum, size) => sum + size, 0);
    let segments = units ? 1 : 0;
    if (units > one) {
      let used = 0;
      for (const size of sizes) {
        if (used + size > each) { segments += 1; used = 0; }
        used += size;
      }
    }
    return { characters: [...graphemes.segment(text)].length, units, segments, gsm };
  }

  const plural = (n, word) => `${n.toLocaleString("en-US")} ${word}${n === 1 ? "" : "s"}`;

  function show(output) {
    const field = document.getElementById(output.dataset.counter);
    if (!field) return;
    const typed = field.value.replace(/\r\n/g, "\n");
    const ending = typed && output.dataset.ending ? `\n${output.dataset.ending}` : "";
    const { characters, segments, gsm } = count(typed + ending, { tollFree: "tollFree" in output.dataset });
    const parts = [plural(characters, "character"), plural(segments, "segment"), `${plural(segments, "credit")} each`];
    if (ending) parts.push("with the opt-out line");
    if (!gsm) parts.push("special characters make segments shorter (70)");
    output.textContent = parts.join(" · ");
    output.classList.toggle("long", characters > LONG);
  }

  const all = () => document.querySelectorAll("output[data-counter]").forEach(show);
  document.addEventListener("input", (event) => {
    if (event.target.id) document.querySelectorAll(`output[data-counter="${CSS.escape(event.target.id)}"]`).forEach(show);
  });
  document.addEventListener("DOMContentLoaded", all);
  document.addEventListener("htmx:after:process", all);
  window.trackstatSegments = count;
})();
