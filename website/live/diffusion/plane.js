// The plane of the two moons: points that lose or gain noise, their paths, and the scores.
"use strict";

scratchgen.plane = (canvas, { model, points, onProgress }) => {
  const T = scratchgen.tensor, S = scratchgen.sampler, N = points.shape[0];
  const EDGE = 3.3, GRID = 13, CHUNK = 26, TRACED = 12;
  const queue = scratchgen.slices();
  const data = S.scaled(model, points);
  const settings = { mode: "deterministic", steps: 40, seed: 1, arrows: true, paths: true };
  let times = [], path = [], scores = new Map(), position = 0;

  const grid = T.zeros([GRID * GRID, 2]);
  for (let i = 0; i < GRID; i++) for (let j = 0; j < GRID; j++) {
    const at = 2 * (i * GRID + j), step = 2 * EDGE / GRID;
    grid.data[at] = -EDGE + (j + 0.5) * step;
    grid.data[at + 1] = -EDGE + (i + 0.5) * step;
  }

  // f of some rows at a time, with a pause after each part
  function* inParts(x, f) {
    const out = T.like(x), n = x.shape[0];
    for (let start = 0; start < n; start += CHUNK) {
      const stop = Math.min(start + CHUNK, n);
      out.data.set(f(T.rows(x, start, stop), start, stop).data, 2 * start);
      yield;
    }
    return out;
  }

  function* work() {
    const rng = scratchgen.random(settings.seed), normal = () => T.tensor([N, 2], rng.normals(2 * N));
    const noise = normal(), eta = settings.mode === "ancestral" ? 1 : 0;
    if (settings.mode === "forward") {
      times.forEach((t, i) => { path[i] = S.noised(model, data, noise, t); });
    } else {
      path[0] = noise;
    }
    onProgress();
    for (let i = 0; i < times.length; i++) {
      const t = times[i], u = times[i + 1];
      if (t > 0) {                                  // s_t times the score, which has the size of the noise
        scores.set(i, T.scale(yield* inParts(grid, (x) => S.score(model, x, t)), S.s(model, t)));
      }
      if (settings.mode === "forward" || u === undefined) continue;
      const fresh = eta ? normal() : null;
      path[i + 1] = yield* inParts(path[i], (x, start, stop) =>
        S.ddim(model, x, t, u, eta, fresh && T.rows(fresh, start, stop)));
      onProgress();
      if (i + 1 >= position && i <= position + 1) view.redraw();
    }
    onProgress();
    view.redraw();
  }

  function restart() {
    times = S.visited(model, settings.steps);
    if (settings.mode === "forward") times.reverse();
    path = [];
    scores = new Map();
    queue.start(work);
  }

  // The points at a position between two visited steps, on the line between both.
  function pointsAt(p) {
    const i = Math.min(Math.floor(p), path.length - 1), rest = i + 1 < path.length ? p - i : 0;
    if (!rest) return path[i];
    return T.zip(path[i], path[i + 1], (from, to) => from + rest * (to - from));
  }

  function arrow(ctx, x, y, dx, dy) {
    const length = Math.hypot(dx, dy);
    if (length < 1.5) return;
    const ux = dx / length, uy = dy / length, head = Math.min(4, length / 2);
    ctx.moveTo(x, y);
    ctx.lineTo(x + dx, y + dy);
    ctx.lineTo(x + dx - head * (ux + 0.5 * uy), y + dy - head * (uy - 0.5 * ux));
    ctx.moveTo(x + dx, y + dy);
    ctx.lineTo(x + dx - head * (ux - 0.5 * uy), y + dy - head * (uy + 0.5 * ux));
  }

  function draw(ctx, width, height, colours) {
    const axes = scratchgen.canvas.axes({ x: [-EDGE, EDGE], y: [-EDGE, EDGE], left: 0, top: 0, width, height });
    const dot = (x, y, r) => { ctx.moveTo(x + r, y); ctx.arc(x, y, r, 0, 2 * Math.PI); };
    ctx.fillStyle = colours.panel;
    ctx.fillRect(0, 0, width, height);
    ctx.fillStyle = colours.muted;                  // the data, as a reference
    ctx.globalAlpha = 0.4;
    ctx.beginPath();
    for (let i = 0; i < N; i++) dot(axes.x(data.data[2 * i]), axes.y(data.data[2 * i + 1]), 3);
    ctx.fill();
    ctx.globalAlpha = 1;
    const near = scores.get(Math.round(position));
    if (settings.arrows && near) {
      const cell = width / GRID;
      ctx.strokeStyle = colours.blue;
      ctx.lineWidth = 1.2;
      ctx.beginPath();
      for (let i = 0; i < GRID * GRID; i++) {
        const dx = near.data[2 * i], dy = near.data[2 * i + 1], size = Math.hypot(dx, dy);
        const scale = 0.45 * cell * Math.min(1, 2 / Math.max(size, 1e-9));
        arrow(ctx, axes.x(grid.data[2 * i]), axes.y(grid.data[2 * i + 1]), dx * scale, -dy * scale);
      }
      ctx.stroke();
    }
    if (!path.length) return;
    const now = pointsAt(position);
    if (settings.paths) {
      ctx.strokeStyle = colours.green;
      ctx.lineWidth = 1.5;
      ctx.beginPath();
      const since = settings.mode === "ancestral" ? Math.max(Math.floor(position) - 3, 0) : 0;
      for (let n = 0; n < TRACED; n++) {
        for (let i = since; i <= Math.floor(position) && i < path.length; i++) {
          const x = axes.x(path[i].data[2 * n]), y = axes.y(path[i].data[2 * n + 1]);
          if (i > since) ctx.lineTo(x, y); else ctx.moveTo(x, y);
        }
        ctx.lineTo(axes.x(now.data[2 * n]), axes.y(now.data[2 * n + 1]));
      }
      ctx.stroke();
    }
    ctx.fillStyle = colours.orange;
    ctx.beginPath();
    for (let i = 0; i < N; i++) dot(axes.x(now.data[2 * i]), axes.y(now.data[2 * i + 1]), 2.4);
    ctx.fill();
  }

  const view = scratchgen.canvas.surface(canvas, { ratio: 1, draw });

  return {
    settings, view,
    change(changes) { Object.assign(settings, changes); restart(); view.redraw(); },
    show(changes) { Object.assign(settings, changes); view.redraw(); },
    move(p) { position = Math.min(Math.max(p, 0), times.length - 1); view.redraw(); },
    finish() { queue.finish(); view.drawNow(); },
    pointsAt,
    get position() { return position; },
    get known() { return path.length - 1; },        // the last index whose points are known
    get time() {                                    // the step t at the position, which may lie between two
      const i = Math.min(Math.floor(position), times.length - 1), next = times[Math.min(i + 1, times.length - 1)];
      return times[i] + (position - i) * (next - times[i]);
    },
    get path() { return path; },
    get data() { return data; },
  };
};
