// Work in slices between two frames, so that drawing never waits for a long computation.
//
//   const queue = scratchgen.slices(6);                    milliseconds for each frame
//   queue.start(function* () { ...; yield; ... });         replaces the work that was started before
"use strict";

scratchgen.slices = (budget) => {
  let work = null, waiting = false;

  function slice() {
    waiting = false;
    if (!work) return;
    const end = performance.now() + budget;
    while (performance.now() < end) {
      if (work.next().done) { work = null; return; }
    }
    ask();
  }

  function ask() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(slice);
  }

  return {
    start(generator) { work = generator(); ask(); },
    finish() { while (work && !work.next().done); work = null; },        // for tests
    get busy() { return work !== null; },
  };
};
