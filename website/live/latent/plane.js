// The plane of codes: those of training digits as numerals, the current code as a ring, and a posterior as ellipses.
"use strict";

(() => {
  const REACH = 3.6, STEP = 0.1, LARGE_STEP = 0.5;       // of both axes; of the arrow keys

  // onChange([x, y]) is called when the ring was moved.
  scratchgen.latent.plane = (element, { codes, labels, onChange }) => {
    const plane = { z: [0, 0], posterior: null, shown: "all" };
    let axes = null;

    const colourOf = (k) => `hsl(${36 * k} 70% ${scratchgen.theme.isDark() ? 68 : 36}%)`;

    const view = scratchgen.canvas.surface(element, {
      ratio: 1,
      draw(ctx, width, height, colours) {
        axes = scratchgen.canvas.axes({
          x: [-REACH, REACH], y: [-REACH, REACH], left: 28, top: 6, width: width - 34, height: height - 32,
        });
        ctx.fillStyle = colours.page;
        ctx.fillRect(axes.left, axes.top, axes.width, axes.height);
        scratchgen.canvas.line(ctx, axes, [-REACH, REACH], [0, 0], { colour: colours.hairline, width: 1 });
        scratchgen.canvas.line(ctx, axes, [0, 0], [-REACH, REACH], { colour: colours.hairline, width: 1 });
        const ticks = [-3, -2, -1, 0, 1, 2, 3];
        scratchgen.canvas.frame(ctx, axes, colours, { xTicks: ticks, yTicks: ticks });
        ctx.font = "600 11px system-ui, sans-serif";
        ctx.textAlign = "center";
        ctx.textBaseline = "middle";
        for (let i = 0; i < labels.data.length; i++) {
          const k = labels.data[i], [x, y] = [codes.data[2 * i], codes.data[2 * i + 1]];
          if (Math.max(Math.abs(x), Math.abs(y)) > REACH) continue;
          ctx.globalAlpha = plane.shown === "all" ? 0.6 : String(k) === plane.shown ? 1 : 0.12;
          ctx.fillStyle = colourOf(k);
          ctx.fillText(k, axes.x(x), axes.y(y));
        }
        ctx.globalAlpha = 1;
        if (plane.posterior) {
          const { mu, std } = plane.posterior;
          ellipses(ctx, colours, axes.x(mu[0]), axes.y(mu[1]), std.map((v) => v * axes.width / (2 * REACH)));
        }
        ring(ctx, colours);
        if (plane.posterior) magnified(ctx, colours);
      },
    });

    // At one and two standard deviations, given in pixels.
    function ellipses(ctx, colours, x, y, std) {
      ctx.strokeStyle = colours.text;
      ctx.lineWidth = 2;
      for (const [deviations, dash] of [[1, []], [2, [5, 4]]]) {
        ctx.setLineDash(dash);
        ctx.beginPath();
        ctx.ellipse(x, y, deviations * std[0], deviations * std[1], 0, 0, 2 * Math.PI);
        ctx.stroke();
      }
      ctx.setLineDash([]);
    }

    // The same ellipses in a square in the corner, as large as fits.
    function magnified(ctx, colours) {
      const { std } = plane.posterior, side = 0.26 * axes.width, unit = axes.width / (2 * REACH);
      const times = Math.max(Math.floor(0.42 * side / (2 * Math.max(...std) * unit)), 1);
      const left = axes.left + 6, top = axes.top + axes.height - side - 6;
      ctx.fillStyle = colours.page;
      ctx.strokeStyle = colours.border;
      ctx.lineWidth = 1;
      ctx.fillRect(left, top, side, side);
      ctx.strokeRect(left, top, side, side);
      ellipses(ctx, colours, left + side / 2, top + side / 2, std.map((v) => v * unit * times));
      ctx.fillStyle = colours.text;
      ctx.font = "12px system-ui, sans-serif";
      ctx.textAlign = "left";
      ctx.textBaseline = "top";
      ctx.fillText(`×${times}`, left + 5, top + 4);
    }

    function ring(ctx, colours) {
      const [x, y] = [axes.x(plane.z[0]), axes.y(plane.z[1])];
      for (const [colour, width] of [[colours.page, 6], [colours.accent, 3]]) {
        ctx.strokeStyle = colour;
        ctx.lineWidth = width;
        ctx.beginPath();
        ctx.arc(x, y, 9, 0, 2 * Math.PI);
        ctx.stroke();
      }
    }

    const clamp = (v) => Math.min(Math.max(v, -REACH), REACH);
    plane.move = (z) => { plane.z = z.map(clamp); view.redraw(); };
    plane.redraw = view.redraw;
    scratchgen.canvas.pointer(element, {
      onMove(px, py) { plane.move([axes.fromX(px), axes.fromY(py)]); onChange(plane.z); },
      onKey(dx, dy, event) {
        const step = event.shiftKey ? LARGE_STEP : STEP;
        plane.move([plane.z[0] + dx * step, plane.z[1] + dy * step]);
        onChange(plane.z);
      },
    });
    return plane;
  };
})();
