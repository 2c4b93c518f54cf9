// Renders every formula with KaTeX. An equation that the address names is scrolled to again afterwards, because
// formulas above it change their height.
(() => {
  for (const element of document.querySelectorAll(".tex")) {
    const displayMode = element.classList.contains("display");
    katex.render(element.textContent, element, { displayMode, throwOnError: false, strict: false });
  }
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) target.scrollIntoView();
})();
