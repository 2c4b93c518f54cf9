// The drawings of the page. Each gets the run, the index of the snapshot, and where to draw.
"use strict";

(() => {
  const K = scratchgen.canvas;
  const nice = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

  const position = (steps) => (i) => Math.log10(1 + steps[i]);       // a logarithmic scale that begins at step 0

  // Reconstruction error and KL over the steps, one above the other.
  function terms(ctx, width, height, colours, { steps, run, others, index }) {
    const left = 46, right = 10, x = position(steps), last = x(steps.length - 1);
    const ticks = [0, 1, 10, 100, 1000].filter((s) => s <= steps[steps.length - 1]);
    const half = (height - 52) / 2;
    [["nll", "reconstruction error", colours.orange, [50, 600]], ["kl", "KL", colours.blue, [0.05, 500]]]
      .forEach(([name, label, colour, [low, high]], row) => {
        const top = 6 + row * (half + 14);
        const axes = K.axes({ x: [0, last], y: [Math.log10(low), Math.log10(high)], left, top,
                              width: width - left - right, height: half });
        const yTicks = row ? [0.1, 1, 10, 100] : [50, 100, 200, 500];
        K.frame(ctx, axes, colours, { yTicks: yTicks.map(Math.log10), show: (v) => String(Number((10 ** v).toPrecision(3))) });
        if (row) {
          K.frame(ctx, axes, colours, { xTicks: ticks.map((s) => Math.log10(1 + s)), xLabel: "training step",
                                        show: (v) => String(Math.round(10 ** v - 1)) });
        }
        const xs = Array.from(steps, (_, i) => x(i));
        const ys = (r) => Array.from(r[name].data, (v) => Math.log10(Math.max(v, low)));
        for (const other of others) K.line(ctx, axes, xs, ys(other), { colour: colours.border, width: 1 });
        K.line(ctx, axes, xs, ys(run), { colour, width: 2.5 });
        ctx.fillStyle = colour;
        ctx.beginPath();
        ctx.arc(axes.x(x(index)), axes.y(ys(run)[index]), 5, 0, 2 * Math.PI);
        ctx.fill();
        ctx.font = "600 13px system-ui, sans-serif";
        ctx.textAlign = "left";
        ctx.textBaseline = "top";
        ctx.fillText(`${label} ${nice(run[name].data[index])}`, left + 8, row ? top + 2 : top + half - 20);
      });
  }

  // Two bars that pull a knot to both sides.
  function pull(ctx, width, height, colours, { run, index }) {
    const [decoder, kl] = [run.pulls.data[2 * index], -run.pulls.data[2 * index + 1]];
    const largest = Math.max(...Array.from(run.pulls.data, Math.abs)), middle = width / 2;
    const bar = (value, colour, side) => {
      const length = Math.abs(value) / largest * (middle - 14), toLeft = (value >= 0) === (side < 0);
      ctx.fillStyle = colour;
      ctx.fillRect(toLeft ? middle - length : middle, side < 0 ? 26 : 48, length, 18);
    };
    ctx.font = "13px system-ui, sans-serif";
    ctx.textBaseline = "top";
    ctx.fillStyle = colours.text;
    ctx.textAlign = "left";
    ctx.fillText("← less noise", 0, 4);
    ctx.textAlign = "right";
    ctx.fillText("more noise →", width, 4);
    bar(decoder, colours.orange, -1);
    bar(kl, colours.blue, 1);
    ctx.strokeStyle = colours.text;
    ctx.lineWidth = 2;
    ctx.beginPath();
    ctx.moveTo(middle, 22);
    ctx.lineTo(middle, 70);
    ctx.stroke();
    const sum = (decoder - kl) / largest * (middle - 14) / 2;        // where both together move the knot
    ctx.fillStyle = colours.text;
    ctx.beginPath();
    ctx.arc(middle - sum, 46, 6, 0, 2 * Math.PI);
    ctx.fill();
  }

  // The KL of each dimension: the mean of the test digits, and one digit as a line.
  function bars(ctx, width, height, colours, { dims, one }) {
    const n = dims.length, left = 34, bottom = 22, largest = Math.max(1, ...dims, ...(one || []));
    const axes = K.axes({ x: [0, n], y: [0, largest], left, top: 8, width: width - left - 6, height: height - bottom - 8 });
    const step = largest > 20 ? 10 : largest > 8 ? 4 : largest > 3 ? 2 : 1;
    K.frame(ctx, axes, colours, {
      xTicks: Array.from(dims, (_, k) => k + 0.5), show: (v) => String(v % 1 === 0.5 ? Math.floor(v) + 1 : v),
      yTicks: Array.from({ length: Math.floor(largest / step) + 1 }, (_, i) => i * step),
    });
    dims.forEach((value, k) => {
      ctx.fillStyle = colours.blue;
      ctx.fillRect(axes.x(k + 0.15), axes.y(value), axes.x(0.7) - axes.x(0), axes.y(0) - axes.y(value));
      if (!one) return;
      ctx.strokeStyle = colours.orange;
      ctx.lineWidth = 3;
      ctx.beginPath();
      ctx.moveTo(axes.x(k + 0.05), axes.y(one[k]));
      ctx.lineTo(axes.x(k + 0.95), axes.y(one[k]));
      ctx.stroke();
    });
  }

  const planeAxes = (width, height, edge) =>
    K.axes({ x: [-edge, edge], y: [-edge, edge], left: 0, top: 0, width, height });

  // Posteriors (mu, std) in two dimensions of the code.
  function plane(ctx, width, height, colours, { ellipses, labels, chosen, edge }) {
    const axes = planeAxes(width, height, edge), unit = axes.x(1) - axes.x(0);
    ctx.fillStyle = colours.page;
    ctx.fillRect(0, 0, width, height);
    ctx.strokeStyle = colours.border;
    ctx.lineWidth = 1;
    ctx.setLineDash([4, 4]);
    for (const r of [1, 2]) {
      ctx.beginPath();
      ctx.arc(axes.x(0), axes.y(0), r * unit, 0, 2 * Math.PI);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    ctx.font = "600 13px system-ui, sans-serif";
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ellipses.forEach(([x, y, sx, sy], n) => {
      const picked = n === chosen;
      ctx.strokeStyle = picked ? colours.orange : colours.blue;
      ctx.lineWidth = picked ? 3 : 1;
      ctx.beginPath();
      ctx.ellipse(axes.x(x), axes.y(y), Math.max(sx * unit, 0.5), Math.max(sy * unit, 0.5), 0, 0, 2 * Math.PI);
      ctx.stroke();
      ctx.fillStyle = picked ? colours.orange : colours.text;
      ctx.fillText(String(labels[n]), axes.x(x), axes.y(y));
    });
  }

  // Rows of pictures, each under its title.
  function pictures(ctx, width, height, colours, rows) {
    const columns = rows[0][1].length, gap = 6, size = (width - gap * (columns - 1)) / columns, title = 22;
    ctx.font = "13px system-ui, sans-serif";
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    rows.forEach(([label, row], r) => {
      const top = r * (size + title + 8);
      ctx.fillStyle = colours.text;
      ctx.fillText(label, 0, top + 2);
      row.forEach((picture, c) => K.picture(ctx, picture, 28, c * (size + gap), top + title, size, colours, true));
    });
  }
  const picturesRatio = (width) => 3 * ((width - 30) / 6 + 30) / width;

  scratchgen.drawings = { terms, pull, bars, plane, planeAxes, pictures, picturesRatio };
})();
