"use strict";

(() => {
  const study = window.STUDY;
  const at = (id) => document.getElementById(id);
  let code = "";
  let store = null;
  let screen = null;

  function show(id) {
    for (const name of ["start", "trial", "end"]) at(name).hidden = name !== id;
    window.scrollTo(0, 0);
  }

  function begin(typed) {
    code = typed.trim().toLowerCase();
    const known = study && Object.prototype.hasOwnProperty.call(study.plans, code);
    at("refused").hidden = known;
    if (!known) {
      at("refused").textContent = `The code ${code} is not known here: type it as it was given to you.`;
      return;
    }
    store = new Store(study.study, code);
    at("unsaved").hidden = store.kept;
    forward();
  }

  function forward() {
    const plan = study.plans[code];
    const trial = plan.find((one) => !store.has(one));
    if (!trial) {
      finish(true);
      return;
    }
    const done = plan.filter((one) => store.has(one)).length;
    at("count").textContent = `${done + 1} of ${plan.length}`;
    at("progress").value = done / plan.length;
    screen = new TrialScreen(study, trial, (answer) => {
      store.add(answer);
      forward();
    });
    show("trial");
  }

  function finish(complete) {
    if (screen) screen.close();
    screen = null;
    const name = `answers-${code}.json`;
    at("text").value = answerText(study.study, code, store.answers, complete);
    at("thanks").textContent = complete ? "Thank you" : "Saved so far";
    at("told").textContent = complete
      ? `You have finished. Your answers are in the file ${name}: hand it to whoever invited you.`
      : `Your answers up to here are in the file ${name}. You can go on now or later.`;
    at("resume").hidden = complete;
    show("end");
    saveAs(name, at("text").value);
  }

  if (!study) {
    at("task").textContent = "The trials (study_data.js) cannot be read: open the folder as it was given to you.";
    at("entry").hidden = true;
    show("start");
    return;
  }
  at("task").textContent =
    study.kind === "ab"
      ? "You will see pairs of short videos of a person speaking and say which of the two is better."
      : "You will see short videos of a person speaking and say how good each is, from bad to excellent.";
  at("entry").addEventListener("submit", (event) => {
    event.preventDefault();
    begin(at("code").value);
  });
  at("next").addEventListener("click", () => screen && screen.next());
  at("stop").addEventListener("click", () => finish(false));
  at("resume").addEventListener("click", () => forward());
  at("save").addEventListener("click", () => saveAs(`answers-${code}.json`, at("text").value));
  document.addEventListener("keydown", (event) => {
    if (!screen || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    // Whoever walks through the buttons with the tab key presses the one that is marked.
    const button = event.target.closest && event.target.closest("button");
    if (button && button.matches(":focus-visible") && (event.key === " " || event.key === "Enter")) return;
    if (screen.press(event.key)) event.preventDefault();
  });
  const given = /^#([a-z0-9-]{1,20})$/i.exec(window.location.hash);
  if (given) at("code").value = given[1];
  show("start");
})();
