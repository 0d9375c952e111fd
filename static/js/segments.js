/* "132 characters · 1 segment · 1 credit each" under a text being typed. The same rules as messaging/segments.py. */
(() => {
  "use strict";

  const BASIC = new Set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà");
  const EXTENDED = new Set("\f^{}\\[~]|€");
  const LONG = 145;
  const SMART = {
    '"': "«»“”„‟ʺˮ❝❞〝〞＂", "'": "‘’‚‛ʻˈʼʹʽ′`❛❜＇", "-": "‐‑‒–—―﹘﹣－−", "/": "÷⁄∕⧸／", "\\": "⧵⧹＼", "...": "…",
    "1/4": "¼", "1/2": "½", "3/4": "¾", " ": "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "": "\u00ad\u200b\u2060\ufeff\u180e", "\n": "\u2028\u2029\u0085\u000b", _: "＿", "|": "⎜⎟｜", "<": "‹﹤＜", ">": "›﹥＞",
    "!": "ǃ！", "?": "？", ":": "ː∶：", ";": "；", ",": "，", ".": "．", "*": "⁎∗＊", "~": "˜∼～", "^": "ˆ＾", "(c)": "©", "(r)": "®", TM: "™",
  };
  const PLAIN = new Map(Object.entries(SMART).flatMap(([plain, many]) => [...many].map((strange) => [strange, plain])));
  const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

  function count(typed, { tollFree = false } = {}) {
    const text = [...typed.replace(/\r\n?/g, "\n")].map((character) => PLAIN.get(character) ?? character).join("");
    const gsm = [...text].every((character) => BASIC.has(character) || EXTENDED.has(character));
    const [one, each] = gsm ? [160, tollFree ? 152 : 153] : [70, tollFree ? 66 : 67];
    const sizes = gsm
      ? [...text].map((character) => (EXTENDED.has(character) ? 2 : 1))
      : [...graphemes.segment(text)].map((part) => part.segment.length);
    const units = sizes.reduce((sum, size) => sum + size, 0);
    let segments = units ? 1 : 0;
    let room = units > one ? each : units;
    for (let size of sizes) {
      if (size > room && size > each) {
        // Larger than any segment (a long run of combining marks): it is cut after all.
        size -= room;
        segments += Math.ceil(size / each);
        room = each - (size % each || each);
      } else if (size > room) {
        segments += 1;
        room = each - size;
      } else room -= size;
    }
    return { characters: sizes.length, segments, gsm };
  }

  const plural = (n, word) => `${n.toLocaleString("en-US")} ${word}${n === 1 ? "" : "s"}`;

  function show(output) {
    const field = document.getElementById(output.dataset.counter);
    if (!field) return;
    const typed = field.value;
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
