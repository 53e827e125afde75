// Shows what the threshold of the slider gives: the four counts of the records, and the shares that follow from them.
{
  const read = document.getElementById("thresholds-data");
  const slider = document.getElementById("threshold-slider");
  const data = JSON.parse(read.textContent);
  const set = (id, text) => { const place = document.getElementById(`threshold-${id}`); if (place) place.textContent = text; };
  const count = (number) => number.toLocaleString("en-US");
  const share = (part, whole) => (whole ? (part / whole).toFixed(3) : "undefined");
  const show = () => {
    const at = Number(slider.value);
    const [tp, fp, fn, tn] = [data.tp[at], data.fp[at], data.fn[at], data.tn[at]];
    set("value", data.written[at] + (at === data.used ? " (in use)" : ""));
    for (const [name, number] of Object.entries({ tp, fp, fn, tn })) set(name, count(number));
    set("recall", share(tp, tp + fn));
    set("precision", share(tp, tp + fp));
    set("rate", share(fp, fp + tn));
    set("alerts", ((1000 * (tp + fp)) / (tp + fp + fn + tn)).toFixed(1));
    if (data.cost.length) set("cost", Number(data.cost[at].toPrecision(4)).toString());
    const drawn = document.querySelector('[data-spec="spec-thresholds"]');
    if (drawn && drawn.view) drawn.view.signal("at", at).runAsync();
  };
  document.querySelector(".slider").hidden = false;
  slider.addEventListener("input", show);
  show();
}
