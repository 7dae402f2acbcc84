// Plays a page's clips in step: a slider #frame, a button #play, a place #where for the number, the arrow keys. The page has said drawFrame(number).
const slider = document.getElementById("frame"), button = document.getElementById("play"), where = document.getElementById("where");
const longest = Number(slider.max) + 1;
let frame = 0, timer = null;
function show(number) {
  frame = ((number % longest) + longest) % longest;
  drawFrame(frame);
  slider.value = frame;
  where.textContent = `${frame + 1} / ${longest}`;
}
function play(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => show(frame + 1), 1000 / {{ fps }}) : null;
  button.textContent = on ? "Pause" : "Play";
}
button.addEventListener("click", () => play(!timer));
slider.addEventListener("input", () => { play(false); show(Number(slider.value)); });
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step) { event.preventDefault(); play(false); show(frame + step); }
  if (event.key === " " && !event.target.closest("button, summary, a")) { event.preventDefault(); play(!timer); }
});
play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
