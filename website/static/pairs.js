// Literate pages: an equation and its lines of code are marked together, by pointer, by focus, and while the
// derivation is scrolled. The code beside the derivation scrolls to the line of the current equation.
(() => {
  const equations = [...document.querySelectorAll(".derivation .equation.numbered")];
  const lines = [...document.querySelectorAll(".equation-line")];
  if (!equations.length || !lines.length) return;
  const numbersOf = (element) => (element.dataset.numbers || element.dataset.number).split(" ");
  const paneOf = (equation) => equation.closest(".pair").querySelector(".pane");

  function mark(numbers) {
    for (const element of [...equations, ...lines]) {
      element.classList.toggle("active", numbersOf(element).some((n) => numbers.includes(n)));
    }
  }

  function show(equation) {
    const pane = paneOf(equation);
    const line = [...pane.querySelectorAll(".equation-line")].find((l) => numbersOf(l).includes(equation.dataset.number));
    if (!line || pane.scrollHeight <= pane.clientHeight) return;
    const wanted = equation.getBoundingClientRect().top - pane.getBoundingClientRect().top;
    const now = line.getBoundingClientRect().top - pane.getBoundingClientRect().top;
    pane.scrollTop += now - Math.min(Math.max(wanted, 40), pane.clientHeight - 40);
  }

  // A reader who points or moves the focus scrolls the page as well: for a moment, scrolling marks nothing.
  let held = 0;
  function choose(element) {
    held = performance.now() + 500;
    mark(numbersOf(element));
  }
  for (const element of [...equations, ...lines]) {
    element.addEventListener("pointerenter", () => choose(element));
    element.addEventListener("focusin", () => choose(element));
  }
  for (const equation of equations) equation.addEventListener("pointerenter", () => show(equation));

  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting || performance.now() < held) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const middle = innerHeight * 0.4;
      const distance = (e) => Math.abs(e.getBoundingClientRect().top - middle);
      const nearest = equations.reduce((a, b) => (distance(b) < distance(a) ? b : a));
      if (distance(nearest) < innerHeight / 2) {
        mark([nearest.dataset.number]);
        show(nearest);
      }
    });
  }, { passive: true });
})();
