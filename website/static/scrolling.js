// Elements that scroll can be focused, so that readers without a pointer can use the arrow keys.
(() => {
  const figures = CSS.supports("selector(:has(img))") ? ", article p:has(> img:only-child)" : "";
  const wide = `article pre, article table.docutils, .unit pre, .pane${figures}`;
  function mark() {
    for (const element of document.querySelectorAll(wide)) {
      const scrolls = element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight;
      if (scrolls && getComputedStyle(element).overflowX !== "visible") element.tabIndex = 0;
      else element.removeAttribute("tabindex");
    }
  }
  mark();
  addEventListener("resize", mark);
})();
