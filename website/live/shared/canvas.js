// Drawing on canvases that follow the size of the page, the pixel ratio of the screen and the colours of the theme.
//
//   const view = scratchgen.canvas.surface(canvas, {ratio: 1, draw(ctx, width, height, colours) { ... }});
//   view.redraw();                     at the next frame, once however often it is called
//
//   const axes = scratchgen.canvas.axes({x: [-3, 3], y: [0, 1], left: 40, top: 8, width: 300, height: 200});
//   axes.x(0.5), axes.y(0.5)           pixels of a point;  axes.fromX(120), axes.fromY(80)     and back
"use strict";

(() => {
  const K = scratchgen.canvas = {};

  // ratio : height / width, or a function of the width;  a canvas is drawn when it gets a size
  K.surface = (canvas, { ratio = 1, draw }) => {
    const view = { canvas, width: 0, height: 0 };
    let waiting = false;

    view.drawNow = () => {
      if (!view.width) return;
      const ctx = canvas.getContext("2d"), scale = window.devicePixelRatio || 1;
      const w = Math.round(view.width * scale), h = Math.round(view.height * scale);
      if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
      ctx.setTransform(scale, 0, 0, scale, 0, 0);
      ctx.clearRect(0, 0, view.width, view.height);
      draw(ctx, view.width, view.height, scratchgen.theme.colours());
    };
    view.redraw = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; view.drawNow(); });
    };

    new ResizeObserver(() => {
      const width = canvas.clientWidth;
      if (!width) return;
      const height = Math.round(width * (typeof ratio === "function" ? ratio(width) : ratio));
      if (width === view.width && height === view.height) return;
      view.width = width;
      view.height = height;
      canvas.style.height = `${height}px`;
      view.drawNow();
    }).observe(canvas);
    scratchgen.theme.onChange(view.redraw);
    return view;
  };

  K.axes = ({ x: [x0, x1], y: [y0, y1], left, top, width, height }) => ({
    left, top, width, height,
    x: (v) => left + (v - x0) / (x1 - x0) * width,
    y: (v) => top + (y1 - v) / (y1 - y0) * height,
    fromX: (px) => x0 + (px - left) / width * (x1 - x0),
    fromY: (py) => y1 - (py - top) / height * (y1 - y0),
  });

  const signed = (value) => String(value).replace("-", "−");

  // Ticks and numbers below and to the left of the axes.
  K.frame = (ctx, axes, colours, { xTicks = [], yTicks = [], xLabel = "", yLabel = "", show = signed } = {}) => {
    const { left, top, width, height } = axes, bottom = top + height;
    ctx.save();
    ctx.strokeStyle = colours.border;
    ctx.fillStyle = colours.text;
    ctx.lineWidth = 1;
    ctx.font = "12px system-ui, sans-serif";
    ctx.beginPath();
    ctx.moveTo(left, top);
    ctx.lineTo(left, bottom);
    ctx.lineTo(left + width, bottom);
    for (const tick of xTicks) { ctx.moveTo(axes.x(tick), bottom); ctx.lineTo(axes.x(tick), bottom + 4); }
    for (const tick of yTicks) { ctx.moveTo(left, axes.y(tick)); ctx.lineTo(left - 4, axes.y(tick)); }
    ctx.stroke();
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    for (const tick of xTicks) ctx.fillText(show(tick), axes.x(tick), bottom + 6);
    if (xLabel) ctx.fillText(xLabel, left + width / 2, bottom + 20);
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (const tick of yTicks) ctx.fillText(show(tick), left - 7, axes.y(tick));
    if (yLabel) {
      ctx.textAlign = "left";
      ctx.textBaseline = "bottom";
      ctx.fillText(yLabel, left + 4, top + 10);
    }
    ctx.restore();
  };

  // A line through points, clipped to the axes. It has a gap where y is NaN.
  K.line = (ctx, axes, xs, ys, { colour, width = 2, dash = [] }) => {
    ctx.save();
    ctx.beginPath();
    ctx.rect(axes.left, axes.top, axes.width, axes.height);
    ctx.clip();
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.lineJoin = "round";
    ctx.setLineDash(dash);
    ctx.beginPath();
    let drawn = false;
    for (let i = 0; i < xs.length; i++) {
      const known = Number.isFinite(ys[i]);
      if (known) ctx[drawn ? "lineTo" : "moveTo"](axes.x(xs[i]), axes.y(ys[i]));
      drawn = known;
    }
    ctx.stroke();
    ctx.restore();
  };

  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

  // A picture of side x side intensities in [0, 1], in a square of `size` pixels at (left, top).
  let scratch = null;
  K.picture = (ctx, values, side, left, top, size, colours, smooth = false) => {
    scratch = scratch || document.createElement("canvas");
    scratch.width = scratch.height = side;
    const inner = scratch.getContext("2d"), image = inner.createImageData(side, side);
    const paper = rgb(colours.paper), stroke = rgb(colours.stroke);
    for (let i = 0; i < side * side; i++) {
      const intensity = Math.min(Math.max(values[i], 0), 1);
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = paper[c] + intensity * (stroke[c] - paper[c]);
      image.data[4 * i + 3] = 255;
    }
    inner.putImageData(image, 0, 0);
    ctx.save();
    ctx.imageSmoothingEnabled = smooth;
    ctx.drawImage(scratch, left, top, size, size);
    ctx.restore();
  };

  // Calls onMove(x, y, phase) in CSS pixels while a pointer is pressed; phase is "start", "move" or "end". With
  // onKey(dx, dy, event) for the arrow keys: dx, dy are -1, 0 or 1, with y upwards.
  K.pointer = (canvas, { onMove, onKey }) => {
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let pressed = null;
    if (!canvas.classList.contains("pan-y")) canvas.style.touchAction = "none";     // no scrolling
    canvas.addEventListener("pointerdown", (event) => {
      if (pressed !== null || event.button > 0) return;
      pressed = event.pointerId;
      canvas.setPointerCapture(pressed);
      onMove(...at(event), "start");
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== pressed) return;
      const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const part of events.length ? events : [event]) onMove(...at(part), "move");
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => {
        if (event.pointerId !== pressed) return;
        pressed = null;
        onMove(...at(event), "end");
      });
    }
    if (!onKey) return;
    canvas.tabIndex = 0;
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      onKey(...step, event);
    });
  };
})();
