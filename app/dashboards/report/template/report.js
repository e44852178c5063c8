// Draw every chart in its place, in the version that fits the place's width.
"use strict";
(() => {
  const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
  const text = { labelColor: "var(--soft)", titleColor: "var(--soft)", titleFontWeight: "normal" };
  const config = {
    background: null,
    font: FONT,
    padding: { left: 2, right: 8, top: 4, bottom: 2 },
    view: { stroke: null },
    axis: {
      ...text,
      labelFontSize: 12,
      titleFontSize: 12,
      gridColor: "var(--line)",
      domainColor: "var(--line-strong)",
      tickColor: "var(--line-strong)",
    },
    text: { color: "var(--ink)", fontSize: 12 },
  };
  const options = { renderer: "svg", actions: false, config, tooltip: { theme: "custom" } };
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const drawn = new Map();

  const draw = async (id) => {
    const place = document.getElementById(id);
    const { wide, narrow, narrowBelow } = charts[id];
    const version = narrow && place.clientWidth < narrowBelow ? "narrow" : "wide";
    if (drawn.get(id)?.version === version) return;
    const before = drawn.get(id);
    drawn.set(id, { version });
    try {
      const { finalize } = await vegaEmbed(place, version === "narrow" ? narrow : wide, options);
      before?.finalize?.();
      drawn.set(id, { version, finalize });
    } catch (error) {
      place.textContent = "This chart cannot be drawn here; its data are below.";
      place.classList.add("empty");
      console.error(id, error);
    }
  };

  const drawAll = async () => {
    for (const id of Object.keys(charts)) await draw(id);
    document.documentElement.dataset.drawn = "yes";
  };
  drawAll();
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 200);
  });
})();
