// Work in slices between two frames, so that drawing never waits for a long computation.
//
//   const queue = scratchgen.slices();
//   queue.start(function* () { ...; yield; ... });         replaces the work that was started before
//
// All queues of the page share the time of a frame: they take turns, from one yield to the next. The time is
// between LEAST and MOST milliseconds. It becomes shorter when a frame comes late.
"use strict";

(() => {
  const MOST = 5, LEAST = 2;  // milliseconds of each frame
  const LATE = 1.5;           // times the usual interval between two frames
  const active = [];          // the queues that have work
  let waiting = false, before = Infinity, usual = 1000 / 60, budget = MOST;

  function frame(now) {
    waiting = false;
    const interval = now - before;      // negative for the first frame after a pause
    if (interval > LATE * usual) budget = Math.max(budget / 2, LEAST); else budget = Math.min(budget + 0.05, MOST);
    if (interval > 0) usual = Math.min(1.01 * usual, interval);
    before = now;
    const end = performance.now() + budget;
    try {
      while (active.length && performance.now() < end) {
        const queue = active.shift();
        if (queue.step() && !active.includes(queue)) active.push(queue);
      }
    } finally {
      ask();        // the other queues go on after an exception in one of them
    }
  }

  function ask() {
    if (!active.length) before = Infinity;
    if (waiting || !active.length) return;
    waiting = true;
    requestAnimationFrame(frame);
  }

  scratchgen.slices = () => {
    let work = null;
    const queue = {
      step() {
        if (work && work.next().done) work = null;
        return work !== null;
      },
    };
    return {
      start(generator) {
        work = generator();
        if (!active.includes(queue)) active.push(queue);
        ask();
      },
      finish() { while (queue.step()); },             // for tests
      get busy() { return work !== null; },
    };
  };
})();
