// What a page has: its ids and links, and what is wrong with it in the current colours.
() => {
  const channel = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => {
    const n = text.match(/[\d.]+/g).map(Number);
    if (text.startsWith("color(srgb")) return [n[0], n[1], n[2], n[3] ?? 1];
    return [n[0] / 255, n[1] / 255, n[2] / 255, n[3] ?? 1];
  };
  const over = (top, below) => [0, 1, 2].map((k) => top[k] * top[3] + below[k] * (1 - top[3]));
  const background = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.backgroundImage !== "none") return null;
      const color = parse(style.backgroundColor);
      layers.push(color);
      if (color[3] === 1) break;
    }
    const root = matchMedia("(prefers-color-scheme: dark)").matches ? [0.07, 0.07, 0.07] : [1, 1, 1];
    return layers.reverse().reduce((below, top) => over(top, below), root);
  };
  const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && e.getClientRects().length && !e.closest("[aria-hidden=true], .katex-mathml, :disabled");

  const seen = new Set(), contrast = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || e.closest("svg, script, style, noscript, template, option")) continue;
    const key = [e.tagName, e.className, e.parentElement.tagName, e.parentElement.className,
      e.closest("pre, table, nav, aside, header, footer, dl, figure, .equation")?.className].join("|");
    if (seen.has(key) || !shown(e)) continue;
    seen.add(key);
    const behind = background(e), style = getComputedStyle(e);
    if (!behind) continue;
    const front = luminance(over(parse(style.color), behind)), back = luminance(behind);
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) {
      contrast.push(`${ratio.toFixed(2)}: ${e.tagName}.${e.className}: ${walker.currentNode.data.trim().slice(0, 40)}`);
    }
  }
  const clipped = (e) => {
    for (e = e.parentElement; e && e !== document.body; e = e.parentElement) {
      if (getComputedStyle(e).overflowX !== "visible") return true;
    }
    return false;
  };
  const wide = document.documentElement.scrollWidth > innerWidth
    ? [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1
        && shown(e) && !clipped(e)).slice(-3).map((e) => `${e.tagName}.${e.className} to ${e.getBoundingClientRect().right}`)
    : [];
  return {
    contrast, wide,
    ids: [...document.querySelectorAll("[id]")].map((e) => e.id),
    links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
    images: [...document.images].filter((i) => !i.alt?.trim() && i.role !== "presentation").map((i) => i.src)
      .concat([...document.querySelectorAll("canvas, svg[role=img]")].filter((e) => shown(e) && !(e.ariaLabel
        || e.getAttribute("aria-labelledby") || e.textContent.trim())).map((e) => e.outerHTML.slice(0, 80))),
    broken: [...document.images].filter((i) => i.complete && !i.naturalWidth && i.loading !== "lazy")
      .map((i) => i.src.slice(0, 120)),
    formulas: [...document.querySelectorAll(".katex-error")].map((e) => e.title || e.textContent)
      .concat([...document.querySelectorAll(".tex")].filter((e) => !e.querySelector(".katex"))
        .map((e) => e.textContent)),
    title: document.title, language: document.documentElement.lang,
    headings: document.querySelectorAll("h1").length,
    names: [...document.querySelectorAll("button, input:not([type=hidden]), select, textarea")]
      .filter((e) => shown(e) && !(e.ariaLabel || e.getAttribute("aria-labelledby") || e.title || e.placeholder
        || e.labels?.length || e.textContent.trim())).map((e) => e.outerHTML.slice(0, 120)),
  };
}
