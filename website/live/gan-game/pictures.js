// The two figures of the GAN game: the densities and the discriminator above the map from z to x, and the course.
"use strict";

(() => {
  const { line, frame, axes: makeAxes } = scratchgen.canvas;
  const ARROWS = Float64Array.from({ length: 17 }, (_, i) => -2.4 + 0.3 * i);
  const TOP = 1.25, LARGEST_FORCE = 0.9;     // of the density axis; of an arrow, in units of x

  const ramp = (start, stop, step) => {
    const ticks = [];
    for (let v = start; v <= stop + 1e-9; v += step) ticks.push(Number(v.toFixed(6)));
    return ticks;
  };

  // view : {at, p, q, d, best or null, tips, forces}
  function stage(ctx, width, height, colours, view) {
    const { at } = view, below = 104, left = 36, right = 10;
    const axes = makeAxes({
      x: [at.low, at.high], y: [0, TOP], left, top: 8, width: width - left - right, height: height - below - 8,
    });
    ctx.save();
    ctx.beginPath();
    ctx.rect(axes.left, axes.top, axes.width, axes.height);
    ctx.clip();
    for (const [values, colour] of [[view.p, colours.blue], [view.q, colours.orange]]) {
      ctx.globalAlpha = 0.14;
      ctx.fillStyle = colour;
      ctx.beginPath();
      ctx.moveTo(axes.x(at.low), axes.y(0));
      for (let i = 0; i < at.bins; i++) ctx.lineTo(axes.x(at.x[i]), axes.y(Math.min(values[i], 9)));
      ctx.lineTo(axes.x(at.high), axes.y(0));
      ctx.fill();
    }
    ctx.restore();
    line(ctx, axes, [at.low, at.high], [0.5, 0.5], { colour: colours.hairline, width: 1 });
    line(ctx, axes, at.x, view.p, { colour: colours.blue, width: 2.5 });
    line(ctx, axes, at.x, view.q, { colour: colours.orange, width: 4 });
    line(ctx, axes, at.x, view.q, { colour: colours.page, width: 1.2 });
    if (view.best) line(ctx, axes, at.x, view.best, { colour: colours.green, width: 2, dash: [7, 5] });
    line(ctx, axes, at.x, view.d, { colour: colours.text, width: 1.8 });
    frame(ctx, axes, colours, { xTicks: ramp(Math.ceil(at.low), at.high, 1), yTicks: [0, 0.5, 1] });

    // z lies on its own axis; its middle is below the middle of the data
    const xAxis = axes.top + axes.height, zAxis = height - 14, middle = (at.low + at.high) / 2;
    ctx.strokeStyle = colours.border;
    ctx.fillStyle = colours.text;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(left, zAxis);
    ctx.lineTo(left + axes.width, zAxis);
    ARROWS.forEach((z, i) => {
      ctx.moveTo(axes.x(middle + z), zAxis);
      ctx.lineTo(axes.x(clamp(view.tips[i], at.low, at.high)), xAxis + 26);
    });
    ctx.stroke();
    ctx.font = "12px system-ui, sans-serif";
    ctx.textAlign = "left";
    ctx.fillText("x", 8, xAxis + 14);
    ctx.fillText("z", 8, zAxis + 4);
    ctx.strokeStyle = ctx.fillStyle = colours.purple;
    ctx.lineWidth = 2;
    ARROWS.forEach((z, i) => {
      const x = axes.x(clamp(view.tips[i], at.low, at.high)), y = xAxis + 26;
      const end = axes.x(clamp(view.tips[i] + clamp(view.forces[i], -LARGEST_FORCE, LARGEST_FORCE), at.low, at.high));
      if (Math.abs(end - x) < 1.5) {
        ctx.fillRect(x - 1.5, y - 1.5, 3, 3);
        return;
      }
      const head = Math.sign(end - x) * Math.min(5, Math.abs(end - x));
      ctx.beginPath();
      ctx.moveTo(x, y);
      ctx.lineTo(end, y);
      ctx.moveTo(end - head, y - 3.5);
      ctx.lineTo(end, y);
      ctx.lineTo(end - head, y + 3.5);
      ctx.stroke();
    });
  }

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // course : {rounds, jsd, fake}, lists of the same length
  function course(ctx, width, height, colours, { rounds, jsd, fake }) {
    const last = Math.max(rounds.at(-1) || 0, 100);
    const axes = makeAxes({ x: [0, last], y: [0, 1], left: 36, top: 8, width: width - 50, height: height - 46 });
    line(ctx, axes, [0, last], [Math.LN2, Math.LN2], { colour: colours.border, width: 1, dash: [3, 3] });
    line(ctx, axes, [0, last], [0.5, 0.5], { colour: colours.hairline, width: 1 });
    if (fake) {
      line(ctx, axes, rounds, fake, { colour: colours.orange, width: 3.5 });
      line(ctx, axes, rounds, fake, { colour: colours.panel, width: 1 });
    }
    line(ctx, axes, rounds, jsd, { colour: colours.blue, width: 2 });
    const step = 10 ** Math.floor(Math.log10(last)), steps = last / step;
    const every = steps > 5 ? 2 * step : steps > 2 ? step : step / 2;
    frame(ctx, axes, colours, {
      xTicks: ramp(0, last, every), yTicks: [0, 0.5, 1], xLabel: "rounds", show: (v) => v.toLocaleString("en"),
    });
    ctx.fillStyle = colours.muted;
    ctx.font = "12px system-ui, sans-serif";
    ctx.textAlign = "right";
    ctx.fillText("log 2", axes.left + axes.width - 4, axes.y(Math.LN2) - 4);
  }

  Object.assign(scratchgen.ganGame, { stage, course, ARROWS });
})();
