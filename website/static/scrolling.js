// Elements that scroll can be focused, so that readers without a pointer can use the arrow keys.
(() => {
  const wide = "article pre, article table.docutils, article p:has(> img:only-child), .unit pre, .pane";
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
