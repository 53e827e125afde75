// Draws each chart whose specification lies in the page, and says what lies under the pointer.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);

function showTip(handler, event, item, value) {
  if (!value || typeof value !== "object") { tip.hidden = true; return; }
  tip.replaceChildren(...Object.entries(value).filter(([, figure]) => !["", "null", "NaN", "undefined"].includes(String(figure))).map(([label, figure]) => {
    const line = document.createElement("div"), key = document.createElement("b"), text = document.createElement("span");
    key.textContent = label;
    text.textContent = figure;
    line.append(key, text);
    return line;
  }));
  tip.hidden = false;
  const right = event.clientX + 14 + tip.offsetWidth > innerWidth;
  tip.style.left = `${Math.max(4, right ? event.clientX - 14 - tip.offsetWidth : event.clientX + 14)}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 4))}px`;
}

const noNetwork = { load: () => Promise.reject(new Error("this page loads nothing")), sanitize: () => Promise.reject(new Error("no links")) };
for (const place of document.querySelectorAll("[data-spec]")) {
  const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
  vegaEmbed(place, spec, { mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, loader: noNetwork, tooltip: showTip })
    .then((drawn) => { place.view = drawn.view; })
    .catch((problem) => { place.textContent = `This chart could not be drawn (${problem.message}); the tables hold the same figures.`; });
}
addEventListener("beforeprint", () => dispatchEvent(new Event("resize")));
addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
